System.CommandLine.Parsing.CommandLineParser.Parse(new System.CommandLine.RootCommand("minimax"), args).Invoke();
