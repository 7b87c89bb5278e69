using LogicReasoner;
using MiniMaxSharp;
using Spectre.Console;

// The main job: see README.md. Ctrl-C saves and stops; the same command goes on.
return Options.Run(args, async (options, cancellation) =>
{
    var files = new RunFiles(Path.Combine(options.Directory, options.Name));
    if (options.Fresh && Directory.Exists(files.Directory))
    {
        Directory.Delete(files.Directory, recursive: true);
    }

    Directory.CreateDirectory(files.Directory);
    if (options.Plain || !AnsiConsole.Profile.Capabilities.Interactive || Console.IsOutputRedirected)
    {
        return await RunAsync(new PlainView()).ConfigureAwait(false);
    }

    return await AnsiConsole.Status().StartAsync("starting …", status => RunAsync(new TerminalView(status))).ConfigureAwait(false);

    async Task<int> RunAsync(IProgressView view)
    {
        using Device device = Device.Open(options.Device, view.Say);
        using var run = new TrainingRun(options.Recipe, files, view, device);
        try
        {
            await run.RunAsync(cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            view.Say("Stopped and saved; the same command goes on.");
            return 130;
        }

        view.Say($"Report: {files.Report}");
        return 0;
    }
});
