package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/**
 * A headless Chromium with one tab, driven over the DevTools protocol.
 *
 * <p>Notes all that the tab asks the network for, and all that it complains of.
 */
final class Browser implements AutoCloseable {
  private static final Duration PATIENCE = Duration.ofSeconds(30);
  private static final List<String> NAMES =
      List.of("chromium", "chromium-browser", "google-chrome");

  private final Process process;
  private final Path profile;
  private final HttpClient client = HttpClient.newHttpClient();
  private final WebSocket socket;
  private final AtomicInteger ids = new AtomicInteger();
  private final Map<Integer, CompletableFuture<JsonNode>> waiting = new ConcurrentHashMap<>();
  private final List<String> requests = new ArrayList<>();
  private final List<String> complaints = new ArrayList<>();

  private Browser(Process process, Path profile) throws Exception {
    this.process = process;
    this.profile = profile;
    Path port = profile.resolve("DevToolsActivePort");
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!Files.exists(port) || Files.readAllLines(port).size() < 2) {
      assertThat(System.nanoTime()).as("Chromium starts").isLessThan(end);
      Thread.sleep(20);
    }
    String number = Files.readAllLines(port).getFirst();
    String tab = null;
    while (tab == null) {
      var list = URI.create("http://127.0.0.1:" + number + "/json/list");
      for (JsonNode each : Json.mapper().readTree(list.toURL().openStream().readAllBytes())) {
        tab =
            each.path("type").asString("").equals("page")
                ? each.path("webSocketDebuggerUrl").asString()
                : tab;
      }
    }
    socket =
        client
            .newWebSocketBuilder()
            .buildAsync(URI.create(tab), new Messages())
            .get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    for (String domain : List.of("Page", "Runtime", "Network", "Log")) {
      call(domain + ".enable", Map.of());
    }
  }

  /** Starts one; a test is skipped where there is none. */
  static Browser start() throws Exception {
    Optional<Path> program = program();
    assumeTrue(program.isPresent(), "no Chromium on the PATH: the page is not tested in a browser");
    Path profile = Files.createTempDirectory("modeltracer-browser");
    Process process =
        new ProcessBuilder(
                program.orElseThrow().toString(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--hide-scrollbars",
                "--force-color-profile=srgb",
                "--remote-debugging-port=0",
                "--user-data-dir=" + profile,
                "about:blank")
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    return new Browser(process, profile);
  }

  private static Optional<Path> program() {
    return Stream.of(System.getenv().getOrDefault("PATH", "").split(":", -1))
        .flatMap(folder -> NAMES.stream().map(name -> Path.of(folder, name)))
        .filter(Files::isExecutable)
        .findFirst();
  }

  /** What a message of the protocol answers. */
  JsonNode call(String method, Map<String, ?> parameters) throws Exception {
    int id = ids.incrementAndGet();
    var answer = new CompletableFuture<JsonNode>();
    waiting.put(id, answer);
    socket
        .sendText(Json.line(Map.of("id", id, "method", method, "params", parameters)), true)
        .get();
    JsonNode got = answer.get(PATIENCE.toSeconds(), TimeUnit.SECONDS);
    assertThat(got.path("error").toString()).as(method).isEqualTo("");
    return got.path("result");
  }

  /** Opens a page and waits until it has drawn everything. */
  void open(String address) throws Exception {
    synchronized (requests) {
      requests.clear();
      complaints.clear();
    }
    call("Page.navigate", Map.of("url", address));
    await("document.documentElement?.dataset.drawn === 'yes'");
  }

  void open(Path file) throws Exception {
    open(file.toUri().toString());
  }

  /** Waits until an expression is true. */
  void await(String expression) throws Exception {
    long end = System.nanoTime() + PATIENCE.toNanos();
    while (!eval(expression).asBoolean(false)) {
      assertThat(System.nanoTime()).as(expression + "; " + complaints()).isLessThan(end);
      Thread.sleep(20);
    }
  }

  /** Value of an expression in the page, which may be a promise. */
  JsonNode eval(String expression) throws Exception {
    JsonNode result =
        call(
            "Runtime.evaluate",
            Map.of("expression", expression, "returnByValue", true, "awaitPromise", true));
    assertThat(result.path("exceptionDetails").toString()).as(expression).isEqualTo("");
    return result.path("result").path("value");
  }

  /** Presses a key. */
  void key(String name) throws Exception {
    for (String type : List.of("keyDown", "keyUp")) {
      call("Input.dispatchKeyEvent", Map.of("type", type, "key", name));
    }
  }

  String text(String selector) throws Exception {
    return eval("document.querySelector(" + Json.line(selector) + ")?.innerText ?? ''").asString();
  }

  /** Width of the window in pixels, and what the person prefers. */
  void window(int width, boolean dark) throws Exception {
    call(
        "Emulation.setDeviceMetricsOverride",
        Map.of("width", width, "height", 900, "deviceScaleFactor", 1, "mobile", false));
    call(
        "Emulation.setEmulatedMedia",
        Map.of(
            "features",
            List.of(Map.of("name", "prefers-color-scheme", "value", dark ? "dark" : "light"))));
  }

  /** A picture of the page, as PNG; whole, or as much as the window shows. */
  byte[] picture(boolean whole) throws Exception {
    return Base64.getDecoder()
        .decode(
            call("Page.captureScreenshot", Map.of("format", "png", "captureBeyondViewport", whole))
                .path("data")
                .asString());
  }

  /** A picture of the page from the top of one element to the bottom of another, as PNG. */
  byte[] picture(String from, String to) throws Exception {
    JsonNode clip =
        eval(
            "(() => { const a = document.querySelector(%s).getBoundingClientRect(), b = document.querySelector(%s).getBoundingClientRect(); return { x: 0, y: a.top + scrollY, width: innerWidth, height: b.bottom - a.top + 12, scale: 1 }; })()"
                .formatted(Json.line(from), Json.line(to)));
    return Base64.getDecoder()
        .decode(
            call(
                    "Page.captureScreenshot",
                    Map.of("format", "png", "captureBeyondViewport", true, "clip", clip))
                .path("data")
                .asString());
  }

  /** Addresses that were asked for since the page was opened, without that of the page. */
  List<String> requests() {
    synchronized (requests) {
      return List.copyOf(requests);
    }
  }

  /** Errors, warnings and violations of the policy since the page was opened. */
  List<String> complaints() {
    synchronized (requests) {
      return List.copyOf(complaints);
    }
  }

  @Override
  public void close() throws IOException {
    socket.abort();
    client.close();
    process.descendants().forEach(ProcessHandle::destroyForcibly);
    process.destroyForcibly();
    process.onExit().join();
    try (Stream<Path> files = Files.walk(profile)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    }
  }

  private final class Messages implements WebSocket.Listener {
    private final StringBuilder message = new StringBuilder();

    @Override
    public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
      message.append(data);
      if (last) {
        take(Json.mapper().readTree(message.toString()));
        message.setLength(0);
      }
      from.request(1);
      return null;
    }

    private void take(JsonNode json) {
      CompletableFuture<JsonNode> asked = waiting.remove(json.path("id").asInt(0));
      if (asked != null) {
        asked.complete(json);
        return;
      }
      JsonNode told = json.path("params");
      synchronized (requests) {
        switch (json.path("method").asString("")) {
          case "Network.requestWillBeSent" -> {
            String url = told.path("request").path("url").asString();
            // What is spelled out in its own address asks nobody.
            boolean local = url.startsWith("data:") || url.startsWith("blob:");
            if (!local && !told.path("type").asString("").equals("Document")) {
              requests.add(url);
            }
          }
          case "Runtime.exceptionThrown" ->
              complaints.add(
                  told.path("exceptionDetails").path("exception").path("description").asString(""));
          case "Log.entryAdded" -> complaints.add(told.path("entry").path("text").asString());
          default -> {
            // Nothing that a test asks about.
          }
        }
      }
    }
  }
}
