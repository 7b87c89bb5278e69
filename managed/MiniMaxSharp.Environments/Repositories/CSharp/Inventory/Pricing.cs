/// <summary>Prices of orders in cents.</summary>
public static class Pricing
{
    /// <summary>Percent off by the number of units: 5 from 10 units on, 10 from 50, 20 from 200.</summary>
    public static int Discount(int units)
    {
        if (units >= 200)
            return 20;
        if (units >= 50)
            return 10;
        return units >= 10 ? 5 : 0;
    }

    /// <summary>The price of an order after the discount, rounded half up to the cent.</summary>
    public static int Price(int units, int unitPrice)
    {
        var hundredths = units * unitPrice * (100 - Discount(units));
        return (hundredths + 50) / 100;
    }

    /// <summary>Shipping is 490 up to 5 kg and 60 more for every kilogram begun beyond, free for orders of at least 10000.</summary>
    public static int Shipping(int grams, int price)
    {
        if (price >= 10000)
            return 0;
        var beyond = Math.Max(0, grams - 5000);
        return 490 + (beyond + 999) / 1000 * 60;
    }
}
