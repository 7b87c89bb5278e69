Console.WriteLine("LogicReasoner");
