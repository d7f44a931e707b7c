package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.report.LiveServer;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/** The page of a run while it runs: seen by its own reader, by nobody else, at no one's expense. */
class LivePageTest {
  private static final Pattern ADDRESS = Pattern.compile("live at (http://\\S+)");
  private static final int TOKENS = 180;

  @TempDir Path folder;

  private final HttpClient client = HttpClient.newHttpClient();

  /** A run in this process, with its address as soon as it is told. */
  private record Running(CompletableFuture<Integer> code, StringWriter err) {
    static Running start(Path out, String... more) {
      var err = new StringWriter();
      String[] words = {
        "run",
        Cli.MODEL,
        "-p",
        "When you run the program",
        "-n",
        "" + TOKENS,
        "-t",
        "1",
        "--temp",
        "0",
        "--out",
        out.toString()
      };
      String[] all = Stream.of(words, more).flatMap(Stream::of).toArray(String[]::new);
      return new Running(
          CompletableFuture.supplyAsync(
              () -> Main.run(new PrintWriter(new StringWriter()), new PrintWriter(err), all)),
          err);
    }

    String address() throws InterruptedException {
      return LivePageTest.address(err);
    }

    int end() throws Exception {
      return code.get(60, TimeUnit.SECONDS);
    }
  }

  /** The address that a command tells, as soon as it does. */
  static String address(StringWriter err) throws InterruptedException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (System.nanoTime() < end) {
      Matcher found = ADDRESS.matcher(err.toString());
      if (found.find()) {
        return found.group(1);
      }
      Thread.sleep(5);
    }
    throw new AssertionError("no address: " + err);
  }

  private static JsonNode summary(Path out) throws IOException {
    var summary =
        (ObjectNode) Json.mapper().readTree(Files.readAllBytes(out.resolve("summary.json")));
    summary.remove("timing");
    return summary;
  }

  @Test
  void aBrowserFollows() throws Exception {
    try (Browser browser = Browser.start()) {
      Path out = folder.resolve("seen");
      Running run = Running.start(out, "--live");
      browser.call("Page.navigate", Map.of("url", run.address()));
      browser.await("document.querySelectorAll('#text [role=listitem]').length > 0");
      int early = browser.eval("document.querySelectorAll('#text [role=listitem]').length").asInt();
      assertThat(run.end()).isZero();
      browser.await("document.getElementById('live')?.textContent === 'ended'");
      JsonNode tokens =
          Json.mapper().readTree(Files.readAllBytes(out.resolve("pictures.json"))).path("tokens");
      assertThat(browser.eval("document.querySelectorAll('#text [role=listitem]').length").asInt())
          .isEqualTo(tokens.size())
          .isGreaterThan(early);
      // In the end all is there that a page on disk would have.
      assertThat(browser.eval("document.querySelectorAll('#heads [data-head]').length").asInt())
          .isEqualTo(16);
      String origin = run.address().replaceAll("/\\?.*", "/");
      assertThat(browser.requests()).isNotEmpty().allMatch(each -> each.startsWith(origin));
      assertThat(browser.complaints()).isEmpty();
    }
  }

  /** Readers that leave, come back, or never read change nothing. */
  @Test
  void readersChangeNothing() throws Exception {
    Path alone = folder.resolve("alone");
    assertThat(Running.start(alone).end()).isZero();
    Path watched = folder.resolve("watched");
    Running run = Running.start(watched, "--live");
    URI events = URI.create(run.address().replace("/?", "/events?"));
    try (var deaf = new Socket(events.getHost(), events.getPort())) {
      deaf.getOutputStream()
          .write(
              "GET %s?%s HTTP/1.1\r\nHost: %s\r\n\r\n"
                  .formatted(events.getPath(), events.getQuery(), events.getAuthority())
                  .getBytes(StandardCharsets.UTF_8));
      for (int reader = 0; reader < 2; reader++) {
        try (var lines =
            client.send(HttpRequest.newBuilder(events).build(), BodyHandlers.ofLines()).body()) {
          assertThat(lines.anyMatch(line -> line.equals("event: state"))).isTrue();
        }
      }
      assertThat(run.end()).isZero();
    }
    assertThat(summary(watched)).isEqualTo(summary(alone));
  }

  @Test
  void onlyItsOwnReaderIsAnswered() throws Exception {
    try (LiveServer server = LiveServer.start(0)) {
      String address = server.address();
      HttpResponse<String> page = get(address);
      assertThat(page.statusCode()).isEqualTo(200);
      assertThat(page.headers().firstValue("Content-Security-Policy").orElse(""))
          .contains(
              "default-src 'none'", "connect-src 'self'", "frame-ancestors 'none'", "'sha256-")
          .doesNotContain("unsafe");
      URI uri = URI.create(address);
      String bare = "http://" + uri.getAuthority();
      assertThat(get(bare + "/").statusCode()).isEqualTo(403);
      assertThat(get(bare + "/events").statusCode()).isEqualTo(403);
      assertThat(get(address.substring(0, address.length() - 1)).statusCode()).isEqualTo(403);
      assertThat(get(address, "Origin", "https://evil.example").statusCode()).isEqualTo(403);
      assertThat(get(address, "Origin", bare).statusCode()).isEqualTo(200);
      assertThat(get(address.replace("/?", "/../../etc/passwd?")).statusCode()).isEqualTo(404);
      assertThat(
              client
                  .send(
                      HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.noBody()).build(),
                      BodyHandlers.ofString())
                  .statusCode())
          .isEqualTo(405);
      // A name of somebody else's that resolves to this machine.
      assertThat(raw(uri, "rebound.example:" + uri.getPort())).startsWith("HTTP/1.1 403");
      assertThat(raw(uri, uri.getAuthority())).startsWith("HTTP/1.1 200");
      assertThat(new Socket(uri.getHost(), uri.getPort()).getInetAddress().isLoopbackAddress())
          .isTrue();
    }
  }

  private HttpResponse<String> get(String address, String... headers) throws Exception {
    var request = HttpRequest.newBuilder(URI.create(address)).timeout(Duration.ofSeconds(10));
    if (headers.length > 0) {
      request.headers(headers);
    }
    return client.send(request.build(), BodyHandlers.ofString());
  }

  private static String raw(URI uri, String host) throws IOException {
    try (var socket = new Socket(uri.getHost(), uri.getPort())) {
      socket
          .getOutputStream()
          .write(
              "GET /?%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n"
                  .formatted(uri.getQuery(), host)
                  .getBytes(StandardCharsets.UTF_8));
      return new String(socket.getInputStream().readNBytes(64), StandardCharsets.UTF_8);
    }
  }

  /** Far more than the buffers of a connection hold, for a reader that reads nothing. */
  @Test
  void aDeafReaderDelaysNobody() throws Exception {
    String large =
        "{\"tokens\":[],\"tokens_left_out\":0,\"norms\":\"" + "x".repeat(4 << 20) + "\"}";
    assertTimeoutPreemptively(
        Duration.ofSeconds(20),
        () -> {
          var server = LiveServer.start(0);
          URI uri = URI.create(server.address());
          try (var deaf = new Socket(uri.getHost(), uri.getPort())) {
            deaf.getOutputStream()
                .write(
                    "GET /events?%s HTTP/1.1\r\nHost: %s\r\n\r\n"
                        .formatted(uri.getQuery(), uri.getAuthority())
                        .getBytes(StandardCharsets.UTF_8));
            while (!server.watched()) {
              Thread.sleep(5);
            }
            long begin = System.nanoTime();
            for (int state = 0; state < 20; state++) {
              server.publish("run", Map.of("pictures.json", large));
            }
            assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isLessThan(Duration.ofSeconds(1));
            begin = System.nanoTime();
            server.close();
            assertThat(Duration.ofNanos(System.nanoTime() - begin))
                .isLessThan(Duration.ofSeconds(6));
          }
        });
  }

  @Test
  void aTakenPort() throws Exception {
    try (LiveServer server = LiveServer.start(0)) {
      int port = URI.create(server.address()).getPort();
      Cli run = Cli.run("run", Cli.MODEL, "-p", "x", "-n", 1, "--port", port, "--out", folder);
      assertThat(run.code()).isEqualTo(2);
      assertThat(run.message()).contains("--port: cannot listen on port " + port);
    }
    assertThat(Cli.run("run", Cli.MODEL, "-p", "x", "--port", 70000).message())
        .contains("--port takes 0 to 65535, not 70000");
  }
}
