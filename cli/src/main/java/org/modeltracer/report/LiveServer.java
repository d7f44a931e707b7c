package org.modeltracer.report;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.SecureRandom;
import java.util.HexFormat;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.modeltracer.trace.Json;

/**
 * Serves the page of a run in progress to a browser on this machine.
 *
 * <p>Only the loopback interface is listened on, and only requests are answered that carry the
 * secret of the address, name this server as their host, and come from no page of another origin:
 * no other site that a browser visits, and no other name that it resolves to here, sees the run.
 *
 * <p>Each reader is written to by a thread of its own, which takes what is newest whenever it has
 * sent what it had: who reads slowly, or not at all, misses states and delays nobody.
 */
public final class LiveServer implements AutoCloseable {
  private static final int READERS = 8;
  private static final long KEEP_ALIVE_MILLIS = 10_000;
  private static final long LAST_WORDS_MILLIS = 2_000;
  private static final int SECRET_BYTES = 16;

  private final HttpServer server;
  private final ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor();
  private final ExecutorService states =
      Executors.newSingleThreadExecutor(Thread.ofVirtual().factory());
  private final String secret;
  private final ReportPage page = ReportPage.live();
  private final Object changed = new Object();
  private @Nullable ReportRun state;
  private long version;
  private int readers;
  private boolean ended;

  private LiveServer(HttpServer server) {
    this.server = server;
    byte[] random = new byte[SECRET_BYTES];
    new SecureRandom().nextBytes(random);
    secret = HexFormat.of().formatHex(random);
    server.setExecutor(threads);
    server.createContext("/", this::answer);
    server.start();
  }

  /**
   * Starts one.
   *
   * @param port to listen on, 0 for one that is free
   * @throws IllegalArgumentException with one line when the port cannot be listened on
   */
  public static LiveServer start(int port) {
    try {
      return new LiveServer(
          HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 0));
    } catch (IOException e) {
      throw new IllegalArgumentException(
          "--port: cannot listen on port %d of this machine: %s".formatted(port, e.getMessage()),
          e);
    }
  }

  /** Where a browser finds the page. */
  public String address() {
    return "http://" + host() + "/?secret=" + secret;
  }

  private String host() {
    return server.getAddress().getAddress().getHostAddress() + ":" + server.getAddress().getPort();
  }

  /** Whether anybody looks: else there is no need to make a state. */
  public boolean watched() {
    synchronized (changed) {
      return readers > 0;
    }
  }

  /** Hands over what there is to see now; the work is left to whoever reads it. */
  public void publish(String name, Map<String, String> documents) {
    Map<String, String> now = Map.copyOf(documents);
    states.execute(
        () -> {
          ReportRun run = ReportRun.of(name, now);
          synchronized (changed) {
            state = run;
            version++;
            changed.notifyAll();
          }
        });
  }

  private void answer(HttpExchange exchange) throws IOException {
    try (exchange) {
      exchange.getResponseHeaders().set("Cache-Control", "no-store");
      exchange.getResponseHeaders().set("X-Content-Type-Options", "nosniff");
      exchange.getResponseHeaders().set("Referrer-Policy", "no-referrer");
      exchange.getResponseHeaders().set("Cross-Origin-Resource-Policy", "same-origin");
      exchange
          .getResponseHeaders()
          .set("Content-Security-Policy", page.policy() + "; frame-ancestors 'none'");
      if (!own(exchange)) {
        send(exchange, 403, "text/plain", "forbidden\n");
      } else if (!exchange.getRequestMethod().equals("GET")) {
        send(exchange, 405, "text/plain", "only GET\n");
      } else {
        switch (exchange.getRequestURI().getPath()) {
          case "/" -> send(exchange, 200, "text/html; charset=utf-8", page.html());
          case "/events" -> events(exchange);
          default -> send(exchange, 404, "text/plain", "not found\n");
        }
      }
    }
  }

  /** Whether a request is from the page of this server. */
  private boolean own(HttpExchange exchange) {
    String port = ":" + server.getAddress().getPort();
    String host = exchange.getRequestHeaders().getFirst("Host");
    String origin = exchange.getRequestHeaders().getFirst("Origin");
    boolean here = host != null && (host.equals(host()) || host.equals("localhost" + port));
    boolean same = origin == null || origin.equals("http://" + host);
    String query = String.valueOf(exchange.getRequestURI().getRawQuery());
    return here
        && same
        && MessageDigest.isEqual(
            query.getBytes(StandardCharsets.UTF_8),
            ("secret=" + secret).getBytes(StandardCharsets.UTF_8));
  }

  private static void send(HttpExchange exchange, int code, String type, String body)
      throws IOException {
    byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", type);
    exchange.sendResponseHeaders(code, bytes.length);
    exchange.getResponseBody().write(bytes);
  }

  private void events(HttpExchange exchange) throws IOException {
    synchronized (changed) {
      if (readers == READERS) {
        send(exchange, 503, "text/plain", "too many readers\n");
        return;
      }
      readers++;
    }
    try {
      exchange.getResponseHeaders().set("Content-Type", "text/event-stream; charset=utf-8");
      exchange.sendResponseHeaders(200, 0);
      try (OutputStream body = exchange.getResponseBody()) {
        stream(body);
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } finally {
      synchronized (changed) {
        readers--;
        changed.notifyAll();
      }
    }
  }

  private void stream(OutputStream out) throws IOException, InterruptedException {
    long seen = 0;
    out.write(": hello\n\n".getBytes(StandardCharsets.UTF_8));
    out.flush();
    while (true) {
      ReportRun next;
      boolean last;
      synchronized (changed) {
        if (seen == version && !ended) {
          changed.wait(KEEP_ALIVE_MILLIS);
        }
        next = seen == version ? null : state;
        seen = version;
        last = ended;
      }
      String event =
          (next == null ? ": still here\n\n" : "event: state\ndata: " + Json.line(next) + "\n\n")
              + (last ? "event: end\ndata: 1\n\n" : "");
      out.write(event.getBytes(StandardCharsets.UTF_8));
      out.flush();
      if (last) {
        return;
      }
    }
  }

  /** Tells readers that the run has ended, and gives them a moment to hear it. */
  @Override
  public void close() {
    long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(LAST_WORDS_MILLIS);
    states.shutdown();
    try {
      states.awaitTermination(LAST_WORDS_MILLIS, TimeUnit.MILLISECONDS);
      synchronized (changed) {
        ended = true;
        changed.notifyAll();
        for (long left = LAST_WORDS_MILLIS; readers > 0 && left > 0; ) {
          changed.wait(left);
          left = TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime());
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    server.stop(0);
    threads.shutdownNow();
  }
}
