"""A ledger with accounts that money moves between."""


class Ledger:
    """Accounts by name, each with a balance in cents and a limit of overdraft."""

    def __init__(self):
        self.balances = {}
        self.overdrafts = {}
        self.history = []

    def open(self, name, balance=0, overdraft=0):
        """Opens an account."""
        if name in self.balances:
            raise ValueError(f"account {name} is open already")
        if balance < -overdraft:
            raise ValueError("the balance is below the overdraft")
        self.balances[name] = balance
        self.overdrafts[name] = overdraft

    def transfer(self, source, target, cents):
        """Moves money; nothing happens when it cannot be done."""
        if cents <= 0:
            raise ValueError("the amount has to be positive")
        if source not in self.balances or target not in self.balances:
            raise KeyError("unknown account")
        if self.balances[source] - cents < -self.overdrafts[source]:
            return False
        self.balances[source] -= cents
        self.balances[target] += cents
        self.history.append((source, target, cents))
        return True

    def undo(self):
        """Takes the last transfer back, and says whether there was one."""
        if not self.history:
            return False
        source, target, cents = self.history.pop()
        self.balances[source] += cents
        self.balances[target] -= cents
        return True

    def turnover(self, name):
        """What an account has received and what it has paid."""
        received = sum(cents for _, target, cents in self.history if target == name)
        paid = sum(cents for source, _, cents in self.history if source == name)
        return received, paid

    def total(self):
        """The sum of all balances, which transfers do not change."""
        return sum(self.balances.values())

    def richest(self, count=1):
        """Names of the accounts with the most money, equal ones by name."""
        names = sorted(self.balances, key=lambda name: (-self.balances[name], name))
        return names[:count]

    def overdrawn(self):
        """Names of the accounts below zero, in order."""
        return sorted(name for name, balance in self.balances.items() if balance < 0)
