"""Words that carry grammar rather than content, by language: no search is decided by them."""

_LISTS = {
    "en": """
        a about above after again all also am an and any are as at be because been before being below
        between both but
        by can could did do does doing down during each few for from further had has have having he her here
        hers him
        his how i if in into is it its itself just me more most my no nor not of off on once only or other
        our ours out
        over own same she should so some such than that the their theirs them then there these they this
        those through
        to too under until up upon us very was we were what when where which while who whom whose why will
        with would
        you your yours
    """,
    "de": """
        aber alle als also am an auch auf aus bei beim bin bis bist da damit das dass dem den der des dessen
        die dies
        diese dieser dieses doch dort du durch ein eine einem einen einer eines er es euch für hat hatte
        hatten ich ihm
        ihn ihr ihre im in ist ja kann können man mein mit nach nicht noch nur ob oder ohne sehr sein seine
        sich sie
        sind so über um und uns unter vom von vor war waren warum was wegen weil welche wenn wer werden wie
        wir wird wo
        wurde zu zum zur zwischen
    """,
    "es": """
        a al algo ante antes como con contra cual cuando de del desde donde dos el ella ellas ellos en entre
        era es esa
        ese eso esta este esto fue ha han hasta hay la las le les lo los más me mi mientras muy no nos o
        otra otro para
        pero por porque qué que quién quien se ser si sin sobre son su sus también tan te tiene todo tu un
        una uno y ya
        yo
    """,
    "fr": """
        a à au aux avec ce ces cet cette comme dans de des donc du elle elles en est et été être eux fut il
        ils je la
        le les leur leurs lui ma mais me même mes moi mon ne nos notre nous on ont ou où par pas pour qu
        quand que quel
        quelle qui sa sans se ses si son sont sur ta te tes toi ton tu un une vos votre vous y
    """,
}

STOP_WORDS: dict[str, frozenset[str]] = {language: frozenset(words.split()) for language, words in _LISTS.items()}
