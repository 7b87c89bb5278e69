using Microsoft.Extensions.AI;
using MiniMaxSharp.Serving;

// A model within an application of one's own: dotnet run -c Release --project samples/Serve [CHECKPOINT] [URL].
string checkpoint = args.Length > 0 ? args[0] : "runs/seed-0/checkpoint";
if (!Directory.Exists(checkpoint))
{
    Console.Error.WriteLine($"There is no {checkpoint}. The main job makes one: dotnet run -c Release --project samples/LogicReasoner");
    return 2;
}

WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
builder.WebHost.UseUrls(args.Length > 1 ? args[1] : "http://127.0.0.1:8080");
builder.Services.AddMiniMax(checkpoint, new ServingOptions { ModelId = "reasoner" });
WebApplication app = builder.Build();

// OpenAI's interface, /health, /metrics and the page.
app.MapMiniMax();

// And something of one's own, through the interface that every .NET library for chat knows.
app.MapGet("/balanced", async (string brackets, IChatClient chat, CancellationToken cancellation) =>
    (await chat.GetResponseAsync($"close {brackets}", new ChatOptions { Temperature = 0 }, cancellation)).Text);

await app.RunAsync();
return 0;
