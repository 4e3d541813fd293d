from muniment.kernel.epochs import AsOf


def test_a_value_is_known_as_of_its_epoch_only() -> None:
    known: AsOf[str] = AsOf()
    assert known.get("e1", "ada") is None
    known.put("e1", "ada", "one")
    assert known.get("e1", "ada") == "one"
    assert known.get("e2", "ada") is None
    assert known.get("e1", "ada") is None


def test_a_value_worked_out_before_the_epoch_moved_is_not_kept() -> None:
    known: AsOf[str] = AsOf()
    known.get("e1", "ada")
    known.get("e2", "bob")
    known.put("e1", "ada", "stale")
    assert known.get("e2", "ada") is None


def test_it_holds_no_more_than_it_may() -> None:
    known: AsOf[int] = AsOf(most=2)
    known.get("e", 0)
    for n in range(3):
        known.put("e", n, n)
    assert [known.get("e", n) for n in range(3)] == [None, None, 2]
