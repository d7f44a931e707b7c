package org.modeltracer.cli;

import org.jspecify.annotations.Nullable;
import org.modeltracer.cli.terminal.CliException;
import org.modeltracer.cli.terminal.ExitCode;
import org.modeltracer.cli.terminal.Terminal;
import org.modeltracer.report.LiveServer;
import picocli.CommandLine.Option;

/** The page of a run while it runs. */
@Heading(Heading.Topic.OUTPUT)
final class LivePage implements AutoCloseable {
  private static final long LEAST_NANOS = 300_000_000L;

  /** Making a state takes one part of as many of the time. */
  private static final int SHARE = 20;

  private static final int PORTS = 1 << 16;

  @Option(
      names = "--live",
      description = "Serve a page to this machine's browser that shows the run as it happens.")
  private boolean live;

  @Option(
      names = "--port",
      paramLabel = "N",
      defaultValue = "0",
      description = "Port of that page (default: one that is free); implies --live.")
  private int port;

  private @Nullable LiveServer server;
  private long due;

  /** Starts to serve, if that is asked for, and says where. */
  LivePage open(Terminal terminal) {
    if (port < 0 || port >= PORTS) {
      throw new CliException(ExitCode.USAGE, "--port takes 0 to 65535, not " + port);
    }
    if (live || port > 0) {
      server = LiveServer.start(port);
      terminal.note("modeltracer: live at " + server.address());
    }
    return this;
  }

  /** Shows what has happened since, when somebody looks, at little of the time. */
  void show(RunFiles files) {
    LiveServer to = server;
    long now = System.nanoTime();
    if (to != null && now >= due && to.watched()) {
      to.publish(files.run().name(), files.current());
      due = System.nanoTime() + Math.max(LEAST_NANOS, SHARE * (System.nanoTime() - now));
    }
  }

  /** Shows all that there is in the end. */
  void last(RunFiles files) {
    LiveServer to = server;
    if (to != null && to.watched()) {
      to.publish(files.run().name(), files.written());
    }
  }

  @Override
  public void close() {
    LiveServer to = server;
    if (to != null) {
      to.close();
      server = null;
    }
  }
}
