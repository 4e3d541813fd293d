"""Words that say nothing of what a text is about, by language; questions' own words are among them."""

_EN = """a about above after again against all am an and any are as at be because been before being below
between both but by can could did do does doing down during each few for from further had has have having he her
here hers herself him himself his how i if in into is it its itself just me more most my myself no nor not now
of off on once only or other our ours ourselves out over own same she should so some such than that the their
theirs them themselves then there these they this those through to too under until up us very was we were what
when where which while who whom whose why will with would you your yours yourself yourselves ain't aren't can't
couldn't didn't doesn't don't hadn't hasn't haven't isn't mustn't shouldn't wasn't weren't won't wouldn't"""
_DE = """aber als am an auch auf aus bei bin bis bist da damit das dass daß dem den denn der des die dies diese
dieser dieses doch du durch ein eine einem einen einer eines er es für hat hatte hatten hinter ich ihm ihn ihr
ihre im in ist ja kein keine man mit nach nicht noch nun nur ob oder ohne sein seine sich sie sind so über um
und uns unter vom von vor war waren was wegen welche welcher welches wem wen wenn wer werden wie wird wir wo
wurde wurden zu zum zur zwischen warum wann"""
_ES = """a al como con cual cuál cuáles cuando cuándo cuánto cuántos de del desde donde dónde e el él ella ellas
ellos en entre era es esa ese eso esta está este esto fue ha han hasta hay la las le les lo los más me mi muy no
nos o para pero por porque que qué quien quién se según ser si sí sin sobre son su sus también te tiene tu un
una unas uno unos y ya cómo"""
_FR = """à ai au aux avec c ce ces cette comme comment d dans de des du elle elles en entre est et été était
être eu fait il ils j je l la le les leur leurs lui m mais me même mes moi mon n ne nos notre nous on ont ou où
par pas pour pourquoi qu quand que quel quelle quelles quels qui s sa sans se ses si son sont sur t ta te tes
toi ton tu un une vos votre vous y"""

STOP_WORDS = {
    code: frozenset(words.split()) for code, words in (("en", _EN), ("de", _DE), ("es", _ES), ("fr", _FR))
}

CLITICS = {"en": frozenset(("s", "t", "ll", "re", "ve", "d", "m"))}
"""What an apostrophe adds to a word without making it another."""
