from check import equal, raises
from ledger import Ledger
from money import parse, percent, render, share
from tests import example


def test_overdraft_may_be_used_up_but_not_passed():
    ledger = example()
    equal(ledger.transfer("bob", "cy", 801), False)
    equal(ledger.balances["bob"], 500)
    equal(ledger.transfer("bob", "cy", 800), True)
    equal(ledger.overdrawn(), ["bob"])


def test_an_amount_of_nothing_is_refused():
    raises(ValueError, lambda: example().transfer("ann", "bob", 0))


def test_an_account_cannot_open_below_its_overdraft():
    raises(ValueError, lambda: Ledger().open("dee", -101, overdraft=100))
    ledger = Ledger()
    ledger.open("dee", -100, overdraft=100)
    equal(ledger.total(), -100)


def test_an_account_opens_once():
    raises(ValueError, lambda: example().open("ann"))


def test_undo_takes_back_the_last_transfer():
    ledger = example()
    ledger.transfer("ann", "cy", 100)
    ledger.transfer("ann", "bob", 50)
    equal(ledger.undo(), True)
    equal(ledger.balances, {"ann": 900, "bob": 500, "cy": 100})


def test_undo_of_nothing_does_nothing():
    equal(example().undo(), False)


def test_turnover_is_received_and_paid():
    ledger = example()
    ledger.transfer("ann", "bob", 100)
    ledger.transfer("bob", "cy", 30)
    equal(ledger.turnover("bob"), (100, 30))


def test_transfers_keep_the_total():
    ledger = example()
    ledger.transfer("ann", "bob", 333)
    equal(ledger.total(), 1500)


def test_the_richest_come_first_and_equals_by_name():
    ledger = example()
    ledger.transfer("ann", "cy", 500)
    equal(ledger.richest(2), ["ann", "bob"])


def test_nobody_is_overdrawn_at_zero():
    equal(example().overdrawn(), [])


def test_negative_amounts_and_thousands_are_read():
    equal([parse("-3"), parse("1,200.5"), parse("-0.07")], [-300, 120050, -7])


def test_negative_amounts_and_thousands_are_written():
    equal([render(-7), render(123456789), render(0)], ["-0.07", "1,234,567.89", "0.00"])


def test_a_rest_goes_to_the_first_parts():
    equal(share(1001, 3), [334, 334, 333])
    raises(ValueError, lambda: share(5, 0))


def test_half_a_cent_is_rounded_away_from_zero():
    equal([percent(150, 7), percent(-150, 7), percent(149, 1)], [11, -11, 1])
