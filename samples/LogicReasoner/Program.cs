using LogicReasoner;
using MiniMaxSharp;
using MiniMaxSharp.Training;

// The main job: see README.md. Ctrl-C saves and stops; the same command goes on.
return Options.Run(args, (options, cancellation) => LiveConsole.RunAsync(async console =>
{
    var files = new RunFiles(Path.Combine(options.Directory, options.Name));
    if (options.Fresh && Directory.Exists(files.Directory))
    {
        Directory.Delete(files.Directory, recursive: true);
    }

    Directory.CreateDirectory(files.Directory);
    using Device device = Device.Open(options.Device, console.Say);
    using var run = new TrainingRun(options.Recipe, files, console, device);
    try
    {
        await run.RunAsync(cancellation).ConfigureAwait(false);
    }
    catch (OperationCanceledException)
    {
        console.Say("Stopped and saved; the same command goes on.");
        return 130;
    }

    console.Say($"Report: {files.Report}");
    return 0;
}, options.Plain));
