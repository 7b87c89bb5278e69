namespace LogicReasoner;

/// <summary>The folder of runs remembers the settings it was begun with, so that runs of different settings are never mixed.</summary>
internal static class RunFolder
{
    /// <exception cref="InvalidDataException">The folder was begun with other settings.</exception>
    public static void Claim(string directory, Recipe recipe)
    {
        string path = Path.Combine(directory, "plan.json"), settings = recipe.ToJson();
        Directory.CreateDirectory(directory);
        if (!File.Exists(path))
        {
            File.WriteAllText(path, settings);
        }
        else if (File.ReadAllText(path) != settings)
        {
            throw new InvalidDataException($"{directory} was begun with other settings; give it the same ones or another --runs.");
        }
    }
}
