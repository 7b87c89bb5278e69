namespace MiniMaxSharp.Tasks;

/// <summary>A thing or person in the two languages of the prompts.</summary>
internal readonly record struct Noun(string English, string Chinese)
{
    /// <summary>With its number; all nouns here form their plural by an s.</summary>
    internal string Counted(int count) => count == 1 ? $"1 {English}" : $"{count} {English}s";

    /// <summary>Whether a word is its name in either language.</summary>
    internal bool IsCalled(string word) => word.Equals(English, StringComparison.OrdinalIgnoreCase) || word == Chinese;
}

/// <summary>Word lists of our own, for several tasks.</summary>
internal static class Lexicon
{
    /// <summary>People.</summary>
    internal static IReadOnlyList<Noun> People { get; } =
    [
        new("Anna", "安娜"), new("Ben", "本恩"), new("Clara", "克拉拉"), new("David", "大卫"), new("Emma", "艾玛"), new("Frank", "弗兰克"),
        new("Grace", "格蕾丝"), new("Henry", "亨利"), new("Iris", "艾丽丝"), new("Jack", "杰克"), new("Kate", "凯特"), new("Lucas", "卢卡斯"),
    ];

    /// <summary>Things one may come upon.</summary>
    internal static IReadOnlyList<Noun> Things { get; } =
    [
        new("lamp", "台灯"), new("drum", "鼓"), new("clock", "时钟"), new("mirror", "镜子"), new("statue", "雕像"), new("kettle", "水壶"),
        new("violin", "小提琴"), new("basket", "篮子"), new("ladder", "梯子"), new("globe", "地球仪"), new("candle", "蜡烛"), new("barrel", "木桶"),
        new("anchor", "船锚"), new("pillow", "枕头"), new("bicycle", "自行车"), new("telescope", "望远镜"), new("umbrella", "雨伞"), new("camera", "相机"),
        new("fountain", "喷泉"), new("carpet", "地毯"), new("teapot", "茶壶"), new("hammer", "锤子"), new("kite", "风筝"), new("bell", "铃铛"),
    ];

    /// <summary>Common English words of three to six letters, in no particular order.</summary>
    internal static IReadOnlyList<string> Words { get; } =
    [
        .. ("""
        ant ape arm art ash axe bag bar bat bed bee bet bit boa bow box bud bus cab can cap car cat cow cub cup cut dam day den dew dog dot ear eat eel egg elf elk elm
        end eye fan far fig fin fir fit fly fog fox fun fur gap gas gem goat gum hat hay hen hip hoe hop hut ice ink ivy jam jar jaw jet joy jug key kid kit lap law
        leg lid lip log map mat men mix mud mug nap net nod nut oak oar oat oil old one orb ore owl pan paw pea pen pet pie pig pin pit pod pot pup rag ram rat raw ray
        red rib rim rod row rug rye sap saw sea set sky sow spa sun tap tar tea ten tie tin tip toe ton top toy tub two urn van vat vet vow wax web wig win yak yam zoo
        acid alto area army atom aunt aura avid axis baby back bake ball band bank bark barn base bath beam bean bear beat bell belt bend best bird blue boat body bolt
        bone book boot bowl bulb bush cage cake calm camp cane card care cart case cave cell chef chin city clam clay club coal coat code coin cold cone cook corn crab
        crow cube dare dark data dawn deer desk dice dirt dish dock door dove drum duck dune dust east echo edge envy epic even exit face fact fair farm fern fire fish
        flag flea flow foam fork fort frog fuel gate gift girl glow glue gold golf gown grid hail hair half hall hand hare harp hawk head herb hero hill hive hole home
        hood hook horn idea inch iris iron isle item jade jazz joke jury kale kelp king kite knee knot lace lake lamb lamp land lark lava lawn leaf lens lily lime line
        lion lock loft loom lute maid mane mask mast maze meal melt menu milk mill mint mist mole moon moss moth nail navy neck nest news nine noon nose note oath oven
        pace page pail palm park path peak pear pier pine pink plan plum poem pond pony pool port quay quiz race raft rail rain reef rice ring road robe rock roof room
        root rope rose ruby rule sail salt sand seal seed ship shoe silk sink snow soap sofa soil song soup star stem swan tail tent tide tile time toad tool town tree
        tuba tuna unit vase veil vest view vine wall wand wave west wind wing wolf wood wool yard yarn year yolk zero zinc zone
        actor alarm alley amber angel ankle apple apron arena arrow aspen atlas attic bacon badge bagel baker basil beach berry birch bison blaze bloom board brain bread
        brick bride brook broom brush cabin cable camel canal candy canoe cargo cedar chair chalk cheek chess chief cider cliff cloak clock cloud clown coach cobra comet
        coral couch crane crown curve daisy dance diary diner draft dream dress eagle earth elbow event fable fairy feast fence field flame fleet flour flute forge frost
        fruit ghost giant glass glove goose grain grape grass guest guide heart hedge honey horse hotel house igloo image index ivory jelly jewel juice knife label lemon
        linen llama lodge maple march medal melon metal model mouse music night noise north nurse oasis ocean olive onion opera orbit otter paint panda paper patch peach
        pearl pedal piano pilot pizza plant plate plaza poppy queen quilt radar radio ranch raven river robin robot salad scale scarf shark sheep shell shirt shore skate
        slate smoke snail snake south space spice spoon squid stage steam stone storm story sugar table tiger toast torch tower trail train truck tulip uncle valley
        velvet violet wagon whale wheat wheel witch world yacht zebra anchor autumn banana barrel basket beetle bridge bronze butter button cactus candle carpet castle
        cherry circle coffee copper cotton dinner dragon falcon flower forest garden guitar hammer harbor island jacket jungle kettle kitten ladder lizard magnet marble
        meadow mirror monkey morning oyster palace parrot pencil pepper pillow planet pocket rabbit ribbon rocket saddle salmon school shadow silver spider spring square
        summer sunset temple ticket tunnel turtle window winter wizard yellow
        """).Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries).Where(word => word.Length <= 6).Distinct(),
    ];
}
