"""Words that say nothing of what a text is about, by language; questions' own words are among them."""

_EN = """a about above after again against all also am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has have having he her
here hers herself him himself his how i if in into is it its itself just me more most my myself no nor not now of
off on once only or other our ours ourselves out over own same she should so some such than that the their theirs
them themselves then there these they this those through to too under until up upon us very was we were what when
where which while who whom whose why will with would you your yours yourself yourselves ain't aren't can't
couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't shouldn't wasn't weren't won't wouldn't"""
_DE = """aber alle als also am an auch auf aus bei beim bin bis bist da damit das dass daß dem den denn der des
dessen die dies diese dieser dieses doch dort du durch ein eine einem einen einer eines er es euch für hat hatte
hatten ich ihm ihn ihr ihre im in ist ja kann kein keine können man mein mit nach nicht noch nun nur ob oder ohne
sehr sein seine sich sie sind so über um und uns unter vom von vor wann war waren warum was wegen weil welche
welcher welches wem wen wenn wer werden wie wir wird wo wurde wurden zu zum zur zwischen"""
_ES = """a al algo ante antes como cómo con contra cual cuál cuáles cuando cuándo cuánto cuántos de del desde
donde dónde e el él ella ellas ellos en entre era es esa ese eso esta está este esto fue ha han hasta hay la las
le les lo los más me mi mientras muy no nos o otra otro para pero por porque que qué quien quién se según ser si
sí sin sobre son su sus también tan te tiene todo tu un una uno unas unos y ya yo"""
_FR = """à a ai au aux avec c ce ces cet cette comme comment d dans de des donc du elle elles en est et été être
eu eux fait fut il ils j je l la le les leur leurs lui m ma mais me même mes moi mon n ne nos notre nous on ont ou
où par pas pour pourquoi qu quand que quel quelle quelles quels qui s sa sans se ses si son sont sur t ta te tes
toi ton tu un une vos votre vous y"""

STOP_WORDS = {
    code: frozenset(words.split()) for code, words in (("en", _EN), ("de", _DE), ("es", _ES), ("fr", _FR))
}

CLITICS = {"en": frozenset(("s", "t", "ll", "re", "ve", "d", "m"))}
"""What an apostrophe adds to a word without making it another."""
