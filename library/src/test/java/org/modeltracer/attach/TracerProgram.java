package org.modeltracer.attach;

import java.io.File;
import java.nio.file.Path;
import java.util.Arrays;
import org.modeltracer.trace.TracerConfig;

/** A tracer in a process of its own, which can be killed. */
final class TracerProgram {
  private TracerProgram() {}

  /** Agent, program, library, file for the program's output, model, then the program's words. */
  public static void main(String[] args) throws Exception {
    Path model = Path.of(args[4]);
    try (var driven = new Driven(TracerConfig.full(), model, 1 << 20, Attachment.Overflow.BLOCK)) {
      Process process =
          driven.start(
              Path.of(args[0]),
              Path.of(args[1]),
              Path.of(args[2]),
              Arrays.asList(args).subList(5, args.length),
              ProcessBuilder.Redirect.to(new File(args[3])));
      System.out.println(process.pid());
      System.out.flush();
      process.waitFor();
    }
  }
}
