/// <summary>Goods that came in at one price and are not yet gone.</summary>
public readonly record struct Lot(int Units, int UnitPrice);

/// <summary>Stock by article. What came in first goes out first.</summary>
public sealed class Warehouse
{
    private readonly SortedDictionary<string, Queue<Lot>> _stock = new(StringComparer.Ordinal);

    /// <summary>Puts goods in.</summary>
    public void Receive(string article, int units, int unitPrice)
    {
        if (units <= 0)
            throw new ArgumentException("units have to be positive");
        if (unitPrice < 0)
            throw new ArgumentException("a price cannot be negative");
        if (!_stock.TryGetValue(article, out var lots))
            _stock[article] = lots = new Queue<Lot>();
        lots.Enqueue(new Lot(units, unitPrice));
    }

    /// <summary>Units of an article.</summary>
    public int Units(string article) => _stock.TryGetValue(article, out var lots) ? lots.Sum(lot => lot.Units) : 0;

    /// <summary>What the goods in stock have cost.</summary>
    public int Value(string article) => _stock.TryGetValue(article, out var lots) ? lots.Sum(lot => lot.Units * lot.UnitPrice) : 0;

    /// <summary>Takes goods out and returns what they have cost; null, and nothing taken, if there are not enough.</summary>
    public int? Ship(string article, int units)
    {
        if (units <= 0)
            throw new ArgumentException("units have to be positive");
        if (Units(article) < units)
            return null;
        var lots = _stock[article];
        var cost = 0;
        while (units > 0)
        {
            var lot = lots.Peek();
            var taken = Math.Min(lot.Units, units);
            cost += taken * lot.UnitPrice;
            units -= taken;
            if (taken == lot.Units)
                lots.Dequeue();
            else
                Replace(lots, lot with { Units = lot.Units - taken });
        }
        return cost;
    }

    /// <summary>Puts another lot at the front.</summary>
    private static void Replace(Queue<Lot> lots, Lot first)
    {
        lots.Dequeue();
        var others = lots.ToArray();
        lots.Clear();
        lots.Enqueue(first);
        foreach (var lot in others)
            lots.Enqueue(lot);
    }

    /// <summary>Articles of which fewer units are left than asked for, in order.</summary>
    public List<string> Below(int units)
    {
        var result = new List<string>();
        foreach (var article in _stock.Keys)
        {
            if (Units(article) < units)
                result.Add(article);
        }
        return result;
    }
}
