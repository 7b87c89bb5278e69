Console.WriteLine("Generator");
