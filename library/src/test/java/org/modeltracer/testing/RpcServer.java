package org.modeltracer.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

/** A server of llama.cpp's RPC backend on this machine, for as long as a test takes. */
public final class RpcServer implements AutoCloseable {
  private static final int TRIES = 500;

  private final Process process;
  private final int port;

  private RpcServer(Process process, int port) {
    this.process = process;
    this.port = port;
  }

  /** The server program of a build, where it lies beside its library. */
  public static Optional<Path> beside(Path library) {
    return Stream.of("rpc-server", "ggml-rpc-server")
        .map(library.toAbsolutePath()::resolveSibling)
        .filter(Files::isExecutable)
        .findFirst();
  }

  /** Starts the server of the build that a library belongs to, and waits until it listens. */
  public static RpcServer start(Path library) {
    InetAddress here = InetAddress.getLoopbackAddress();
    try {
      int port;
      try (var free = new ServerSocket(0, 1, here)) {
        port = free.getLocalPort();
      }
      String program = beside(library).orElseThrow().toString();
      Process process =
          new ProcessBuilder(program, "-H", "127.0.0.1", "-p", "" + port, "-t", "1")
              .redirectErrorStream(true)
              .redirectOutput(ProcessBuilder.Redirect.DISCARD)
              .start();
      for (int i = 0; i < TRIES && process.isAlive(); i++) {
        try (var probe = new Socket(here, port)) {
          return new RpcServer(process, probe.getPort());
        } catch (IOException notYet) {
          LockSupport.parkNanos(20_000_000);
        }
      }
      process.destroyForcibly();
      throw new IllegalStateException(program + " does not listen");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Where it listens, as {@code HOST:PORT}. */
  public String endpoint() {
    return "127.0.0.1:" + port;
  }

  @Override
  public void close() {
    process.destroyForcibly().onExit().join();
  }
}
