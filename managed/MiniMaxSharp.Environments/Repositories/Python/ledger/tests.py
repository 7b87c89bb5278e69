from check import equal, raises
from ledger import Ledger
from money import parse, render, share


def example():
    ledger = Ledger()
    ledger.open("ann", 1000)
    ledger.open("bob", 500, overdraft=300)
    ledger.open("cy")
    return ledger


def test_a_transfer_moves_money():
    ledger = example()
    equal(ledger.transfer("ann", "bob", 250), True)
    equal((ledger.balances["ann"], ledger.balances["bob"]), (750, 750))


def test_unknown_accounts_are_refused():
    raises(KeyError, lambda: example().transfer("ann", "nobody", 1))


def test_amounts_are_read():
    equal(parse("12.50"), 1250)
    raises(ValueError, lambda: parse("1.234"))


def test_amounts_are_written():
    equal(render(1250), "12.50")


def test_an_amount_that_divides_is_shared_equally():
    equal(share(900, 3), [300, 300, 300])
