using MiniMaxSharp.Cli;

return Commands.Run(args);
