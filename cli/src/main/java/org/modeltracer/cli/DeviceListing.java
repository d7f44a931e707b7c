package org.modeltracer.cli;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.llama.Device;
import org.modeltracer.llama.LlamaRuntime;
import picocli.CommandLine;
import picocli.CommandLine.ExecutionException;
import picocli.CommandLine.IExecutionStrategy;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.RunLast;

/** Lists the devices where that is asked for, whatever else a command line says. */
final class DeviceListing implements IExecutionStrategy {
  static final String OPTION = "--devices";
  static final String LIBRARY = "--llama-lib";

  private static final double GIBIBYTE = 1 << 30;

  private final IExecutionStrategy next = new RunLast();

  @Override
  public int execute(ParseResult result) {
    CommandLine command = result.asCommandLineList().getLast();
    ParseResult words = command.getParseResult();
    if (!words.hasMatchedOption(OPTION)) {
      return next.execute(result);
    }
    try {
      list(words.matchedOptionValue(LIBRARY, null), Terminal.of(command.getCommandSpec()));
      return 0;
    } catch (RuntimeException failure) {
      throw new ExecutionException(command, "cannot list devices", failure);
    }
  }

  private static void list(@Nullable Path library, Terminal terminal) {
    for (Device device : LlamaRuntime.loadFrom(library).devices()) {
      String memory =
          device.bytes() == 0
              ? ""
              : ", %.1f GiB, %.1f free"
                  .formatted(device.bytes() / GIBIBYTE, device.freeBytes() / GIBIBYTE);
      terminal.println(
          "%s  %s, %s%s"
              .formatted(
                  terminal.styled("bold", "%-10s".formatted(device.name())),
                  device.description(),
                  device.backend(),
                  memory));
    }
  }
}
