public static class ShownTests
{
    public static void Goods_received_are_in_stock()
    {
        var warehouse = new Warehouse();
        warehouse.Receive("bolt", 10, 3);
        warehouse.Receive("bolt", 5, 4);
        Check.Equal(warehouse.Units("bolt"), 15);
        Check.Equal(warehouse.Value("bolt"), 50);
    }

    public static void Unknown_articles_have_no_units() => Check.Equal(new Warehouse().Units("nut"), 0);

    public static void Goods_shipped_cost_what_they_cost()
    {
        var warehouse = new Warehouse();
        warehouse.Receive("bolt", 10, 3);
        Check.Equal(warehouse.Ship("bolt", 4), 12);
        Check.Equal(warehouse.Units("bolt"), 6);
    }

    public static void Small_orders_have_no_discount() => Check.Equal(Pricing.Price(3, 250), 750);

    public static void Light_parcels_cost_the_basic_rate() => Check.Equal(Pricing.Shipping(1200, 5000), 490);
}
