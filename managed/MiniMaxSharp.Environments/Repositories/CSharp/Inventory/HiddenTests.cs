public static class HiddenTests
{
    private static Warehouse Example()
    {
        var warehouse = new Warehouse();
        warehouse.Receive("bolt", 10, 3);
        warehouse.Receive("bolt", 5, 4);
        warehouse.Receive("nut", 7, 1);
        return warehouse;
    }

    public static void The_oldest_lot_goes_first()
    {
        var warehouse = Example();
        Check.Equal(warehouse.Ship("bolt", 12), 38);
        Check.Equal(warehouse.Value("bolt"), 12);
    }

    public static void A_lot_that_was_begun_stays_in_front()
    {
        var warehouse = Example();
        warehouse.Ship("bolt", 9);
        Check.Equal(warehouse.Ship("bolt", 2), 7);
    }

    public static void All_units_may_be_shipped()
    {
        var warehouse = Example();
        Check.Equal(warehouse.Ship("bolt", 15), 50);
        Check.Equal(warehouse.Units("bolt"), 0);
    }

    public static void Too_many_units_are_not_shipped_at_all()
    {
        var warehouse = Example();
        Check.Equal(warehouse.Ship("bolt", 16), null);
        Check.Equal(warehouse.Units("bolt"), 15);
    }

    public static void No_units_can_be_neither_received_nor_shipped()
    {
        Check.Throws<ArgumentException>(() => Example().Ship("bolt", 0));
        Check.Throws<ArgumentException>(() => { Example().Receive("bolt", 0, 1); return "received"; });
    }

    public static void Gifts_have_no_price_but_prices_are_not_negative()
    {
        var warehouse = Example();
        warehouse.Receive("gift", 1, 0);
        Check.Equal(warehouse.Value("gift"), 0);
        Check.Throws<ArgumentException>(() => { warehouse.Receive("gift", 1, -1); return "received"; });
    }

    public static void Articles_that_run_low_are_listed()
    {
        Check.Equal(Example().Below(8), new[] { "nut" });
        Check.Equal(Example().Below(7), Array.Empty<string>());
        Check.Equal(Example().Below(16), new[] { "bolt", "nut" });
    }

    public static void Discounts_begin_at_their_number_of_units() =>
        Check.Equal(new[] { 9, 10, 49, 50, 199, 200 }.Select(Pricing.Discount), new[] { 0, 5, 5, 10, 10, 20 });

    public static void Prices_are_rounded_half_up()
    {
        Check.Equal(Pricing.Price(10, 1), 10);
        Check.Equal(Pricing.Price(11, 7), 73);
    }

    public static void Every_kilogram_begun_costs_more() =>
        Check.Equal(new[] { 5000, 5001, 6000, 6001 }.Select(grams => Pricing.Shipping(grams, 0)), new[] { 490, 550, 550, 610 });

    public static void Large_orders_are_shipped_for_nothing() =>
        Check.Equal(new[] { 9999, 10000 }.Select(price => Pricing.Shipping(100, price)), new[] { 490, 0 });
}
