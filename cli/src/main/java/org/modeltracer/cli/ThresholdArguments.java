package org.modeltracer.cli;

import java.nio.file.Path;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.anomaly.Thresholds;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.input.SmallFile;
import picocli.CommandLine.Option;
import tools.jackson.core.JacksonException;
import tools.jackson.core.type.TypeReference;
import tools.jackson.dataformat.yaml.YAMLMapper;

/** Limits of the anomaly rules. */
@Heading(Heading.Topic.TRACING)
final class ThresholdArguments {
  @Option(
      names = "--thresholds",
      paramLabel = "FILE",
      description = "YAML or JSON file that overrides limits of the anomaly rules.")
  private @Nullable Path file;

  /** The defaults, with the file's limits in their place. */
  Thresholds thresholds() {
    if (file == null) {
      return Thresholds.defaults();
    }
    String text = SmallFile.text(file, SmallFile.SETTINGS, SmallFile.PATIENCE);
    try {
      // JSON is YAML too.
      var type = new TypeReference<Map<String, Object>>() {};
      Map<String, Object> given = YAMLMapper.shared().readValue(text, type);
      return Thresholds.from(given == null ? Map.of() : given);
    } catch (JacksonException e) {
      throw new CliException(
          ExitCode.USAGE, file + ": not YAML or JSON of limits by name: " + e.getOriginalMessage());
    }
  }
}
