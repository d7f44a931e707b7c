package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.llama.ModelOptions.Adapter;
import picocli.CommandLine.Option;

/** LoRA adapters to put on the model. */
@Heading(Heading.Topic.MODEL)
final class AdapterArguments {
  @Option(
      names = "--lora",
      paramLabel = "FILE",
      description = "Add a LoRA adapter to the weights; may be given more than once.")
  private List<Path> files = List.of();

  @Option(
      names = "--lora-scaled",
      paramLabel = "FILE:SCALE",
      description = "Add a LoRA adapter multiplied by SCALE.")
  private List<String> scaled = List.of();

  List<Adapter> adapters() {
    var adapters = new ArrayList<Adapter>();
    files.forEach(file -> adapters.add(new Adapter(file, 1)));
    scaled.forEach(words -> adapters.add(scaled(words)));
    return adapters;
  }

  private static Adapter scaled(String words) {
    int colon = words.lastIndexOf(':');
    try {
      float scale = Float.parseFloat(words.substring(colon + 1));
      if (colon > 0 && Float.isFinite(scale)) {
        return new Adapter(Path.of(words.substring(0, colon)), scale);
      }
    } catch (NumberFormatException e) {
      // Said below.
    }
    throw new CliException(
        ExitCode.USAGE, "--lora-scaled takes FILE:SCALE, such as a.gguf:0.5, not '" + words + "'");
  }
}
