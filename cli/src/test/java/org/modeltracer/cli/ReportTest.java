package org.modeltracer.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.modeltracer.gate.Gguf;
import org.modeltracer.gguf.GgufFile;
import org.modeltracer.sparse.IndexedModel;
import org.modeltracer.trace.Json;
import tools.jackson.databind.JsonNode;

/** Pages of real runs in a real browser: every view, against the JSON that it shows. */
class ReportTest {
  private static final String PROMPT = "When you run the program, the compiler checks that";

  /** Where pictures of the page are left for people. */
  private static final Path SCREENS = Path.of("cli", "target", "report");

  @TempDir static Path folder;

  private static Browser browser;

  @BeforeAll
  static void start() throws Exception {
    browser = Browser.start();
    browser.window(1280, false);
    Files.createDirectories(SCREENS);
  }

  @AfterAll
  static void stop() throws IOException {
    if (browser != null) {
      browser.close();
    }
  }

  private static JsonNode json(Path file) throws IOException {
    return Json.mapper().readTree(Files.readAllBytes(file));
  }

  /** No request, no error, no violation of the policy. */
  private static void assertQuiet() {
    assertThat(browser.requests()).isEmpty();
    assertThat(browser.complaints()).isEmpty();
  }

  private static List<String> views() throws Exception {
    var views = new ArrayList<String>();
    browser
        .eval("[...document.querySelectorAll('main section')].map((section) => section.id)")
        .forEach(view -> views.add(view.asString()));
    return views;
  }

  private static List<List<String>> csv(String view) throws Exception {
    String text =
        browser
            .eval(
                """
                (async () => {
                  const made = [];
                  const original = URL.createObjectURL;
                  URL.createObjectURL = (blob) => { made.push(blob); return original(blob); };
                  [...document.querySelectorAll('#%s .save button')].find((b) => b.textContent === 'CSV').click();
                  URL.createObjectURL = original;
                  return made[0].text();
                })()\
                """
                    .formatted(view))
            .asString();
    var rows = new ArrayList<List<String>>();
    var row = new ArrayList<String>();
    // RFC 4180: a field is quoted, with quotes doubled, or has no comma, quote or line end.
    var field = Pattern.compile("(?:\"((?:[^\"]|\"\")*)\"|([^,\"\r\n]*))(,|\r\n)").matcher(text);
    while (field.lookingAt()) {
      row.add(field.group(1) == null ? field.group(2) : field.group(1).replace("\"\"", "\""));
      if (!field.group(3).equals(",")) {
        rows.add(List.copyOf(row));
        row.clear();
      }
      field.region(field.end(), text.length());
    }
    assertThat(field.regionStart()).as(view).isEqualTo(text.length());
    assertThat(rows).as(view).allSatisfy(each -> assertThat(each).hasSameSizeAs(rows.getFirst()));
    return rows;
  }

  private static void choose(String selector, String value) throws Exception {
    browser.eval(
        "{ const s = document.querySelector('%s'); s.value = '%s'; s.dispatchEvent(new Event('change')); }"
            .formatted(selector, value));
  }

  @Test
  void everyViewOfARun() throws Exception {
    Path out = folder.resolve("run");
    Path page = folder.resolve("run.html");
    Cli run =
        Cli.run(
            "run",
            Cli.MODEL,
            "-p",
            PROMPT,
            "-n",
            24,
            "--trace",
            "full,lens",
            "-t",
            1,
            "--temp",
            0,
            "--kv-stats",
            "--out",
            out,
            "--html",
            page);
    assertThat(run.code()).as(run.err()).isZero();
    assertThat(run.err()).contains("wrote " + page);
    browser.open(page);
    assertThat(views())
        .containsExactly(
            "verdict",
            "map",
            "text",
            "lens",
            "heads",
            "patterns",
            "flow",
            "cache",
            "activations",
            "settings");
    JsonNode summary = json(out.resolve("summary.json"));
    JsonNode attention = json(out.resolve("attention.json"));

    assertThat(browser.text("#verdict .answer")).isEqualTo("No anomalies");
    // docs/report.png, which the README opens with, is this one.
    browser.window(1000, false);
    Files.write(SCREENS.resolve("readme.png"), browser.picture("#map", "#heads table.heads"));
    browser.window(1280, false);
    // The map: each cell's number is that of the summary.
    choose("#map select", "headroom");
    for (JsonNode place : summary.path("activations").path("places")) {
      String key = "place " + place.path("layer").asString() + " " + place.path("site").asString();
      if (place.path("layer").isNull()) {
        key = "place null " + place.path("site").asString();
      }
      double shown =
          Double.parseDouble(browser.text("#map td[data-key=\"" + key + "\"]").replace(",", ""));
      double told = place.path("stats").path("headroom_bits").asDouble();
      assertThat(shown).as(key).isCloseTo(told, within(0.05 * Math.abs(told)));
    }
    // A click on a cell opens its numbers.
    browser.eval("document.querySelector('#map td[data-key=\"place 2 ffn_out\"]').click(); 1");
    assertThat(browser.text("#map .detail h3")).isEqualTo("ffn_out-2");

    // By keyboard: arrows walk, Enter opens, and the focus stays.
    browser.eval("document.querySelector('#map td[data-key=\"place 1 ffn_norm\"]').focus()");
    browser.key("ArrowDown");
    assertThat(browser.eval("document.activeElement.dataset.key").asString())
        .isEqualTo("place 2 ffn_norm");
    browser.key("Enter");
    assertThat(browser.text("#map .detail h3")).isEqualTo("ffn_norm-2");
    assertThat(browser.eval("document.activeElement.dataset.key").asString())
        .isEqualTo("place 2 ffn_norm");
    assertThat(browser.text("#tip")).contains("ffn_norm-2", "headroom");

    // The text: every token, and what the model gave the generated ones.
    JsonNode tokens = json(out.resolve("pictures.json")).path("tokens");
    assertThat(browser.eval("document.querySelectorAll('#text [role=listitem]').length").asInt())
        .isEqualTo(tokens.size())
        .isEqualTo(attention.path("rollout").path("tokens").size() + 1);
    int generated = 0;
    for (JsonNode position : summary.path("logits").path("last_positions")) {
      JsonNode token = at(tokens, position.path("position").asInt() + 1);
      assertThat(token.path("id").asInt()).isEqualTo(position.path("chosen").asInt());
      assertThat(token.path("entropy").asDouble())
          .isCloseTo(position.path("entropy").asDouble(), within(1e-9));
      assertThat(token.path("probability").asDouble())
          .isCloseTo(
              position.path("tokens").get(0).path("final_probability").asDouble(), within(1e-9));
      generated++;
    }
    assertThat(generated).isEqualTo(24);

    // A head opens: its matrix holds what the head's measures say.
    browser.eval("document.querySelector('#heads [data-head=\"0.1\"]').click(); 1");
    assertThat(browser.text("#heads .detail h3")).startsWith("Layer 0, head 1: ");
    browser.eval("document.querySelector('#heads canvas.matrix').focus()");
    browser.key("ArrowDown");
    browser.key("ArrowRight");
    assertThat(browser.text("#heads canvas.matrix + [role=status]"))
        .isEqualTo("W (1) → W (1): " + weight(out, 0, 1, 1, 1));
    assertThat(browser.eval("document.querySelectorAll('#heads svg.arcs path').length").asInt())
        .isPositive();
    List<List<String>> heads = csv("heads");
    assertThat(heads).hasSize(1 + 16);
    int entropy = heads.getFirst().indexOf("entropy");
    for (List<String> head : heads.subList(1, heads.size())) {
      double told =
          attention
              .path("attention_weights")
              .path(head.get(0))
              .path("heads")
              .path(head.get(1))
              .path("measures")
              .path("entropy")
              .path("mean")
              .asDouble();
      assertThat(Double.parseDouble(head.get(entropy))).isEqualTo(told);
    }
    // Flow: each band carries what the analysis says, and leaves a token as wide as it enters it.
    assertFlow(attention.path("attention_flow").path("token_flow"));
    // Rollout: each bar is its token's share.
    JsonNode rollout = attention.path("rollout").path("tokens");
    JsonNode bars =
        browser.eval(
            "[...document.querySelectorAll('#flow rect[data-value]')].map((bar) =>"
                + " Number(bar.dataset.value))");
    assertThat(bars.size()).isEqualTo(rollout.size());
    for (int i = 0; i < bars.size(); i++) {
      assertThat(bars.get(i).asDouble()).isEqualTo(rollout.get(i).path("attribution").asDouble());
    }
    for (String view : views()) {
      assertSaves(view);
    }
    assertThat(csv("cache")).hasSize(1 + summary.path("kv_cache").path("last_steps").size());
    assertThat(browser.text("#settings")).contains(summary.path("model").path("sha256").asString());
    for (int width : new int[] {1280, 400}) {
      for (boolean dark : new boolean[] {false, true}) {
        browser.window(width, dark);
        // Nothing is wider than the window.
        assertThat(browser.eval("document.documentElement.scrollWidth").asInt()).isEqualTo(width);
        assertContrast();
        Files.write(
            SCREENS.resolve("run-" + width + (dark ? "-dark.png" : ".png")), browser.picture(true));
      }
    }
    browser.window(1280, false);
    assertQuiet();
  }

  private static void assertFlow(JsonNode flow) throws Exception {
    var told = new TreeMap<String, Double>();
    for (JsonNode layer : flow.path("layers")) {
      for (JsonNode link : layer.path("links")) {
        told.put(
            "flow %s %s %s"
                .formatted(
                    layer.path("layer").asString(),
                    link.path("from").asString("null"),
                    link.path("to").asString("null")),
            link.path("share").asDouble());
      }
    }
    var shown = new TreeMap<String, Double>();
    browser
        .eval(
            "[...document.querySelectorAll('#flow path[data-share]')].map((band) =>"
                + " [band.dataset.key, Number(band.dataset.share)])")
        .forEach(band -> shown.put(band.get(0).asString(), band.get(1).asDouble()));
    assertThat(shown).isEqualTo(told).hasSizeGreaterThan(20);
    JsonNode shares =
        browser.eval(
            """
            (() => {
              const total = {};
              for (const node of document.querySelectorAll('#flow rect[data-node]')) {
                const column = node.dataset.node.split(' ')[0];
                total[column] = (total[column] ?? 0) + Number(node.dataset.share);
              }
              return Object.values(total);
            })()\
            """);
    assertThat(shares.size()).isEqualTo(flow.path("layers").size() + 1);
    shares.forEach(share -> assertThat(share.asDouble()).isCloseTo(1, within(1e-6)));
    JsonNode widths =
        browser.eval(
            """
            (() => {
              const total = {};
              for (const node of document.querySelectorAll('#flow rect[data-node]')) {
                const column = node.dataset.node.split(' ')[0];
                total[column] = (total[column] ?? 0) + node.getBBox().height;
              }
              return Object.values(total);
            })()\
            """);
    assertThat(widths.size()).isEqualTo(flow.path("layers").size() + 1);
    for (JsonNode width : widths) {
      // Nodes of next to nothing are drawn, too.
      assertThat(width.asDouble()).isCloseTo(260, within(5.0));
    }
  }

  /** All text is read by those who see little contrast: WCAG 2.2, 1.4.3, level AA. */
  private static void assertContrast() throws Exception {
    JsonNode faint =
        browser.eval(
            """
            (() => {
              const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
              const luminance = (c) => c.slice(0, 3).map((x) => x / 255)
                .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
                .reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
              const back = (element) => {
                for (let at = element; at; at = at.parentElement) {
                  const colour = parts(getComputedStyle(at).backgroundColor);
                  if (colour.length < 4 || colour[3] > 0) return colour;
                }
                return [255, 255, 255];
              };
              const faint = [];
              for (const element of document.querySelectorAll('body *')) {
                if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
                if (!element.checkVisibility() || element.closest('script, style, option')) continue;
                const style = getComputedStyle(element);
                const drawn = element.closest('svg');
                const a = luminance(parts(drawn ? style.fill : style.color)), b = luminance(back(drawn ?? element));
                const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                if (contrast < 4.5) faint.push(element.textContent.slice(0, 40) + ' ' + contrast.toFixed(2));
              }
              return faint;
            })()\
            """);
    assertThat(faint).isEmpty();
  }

  /** A weight as the page shows it, by the bytes that it was given. */
  private static String weight(Path out, int layer, int head, int query, int key)
      throws IOException {
    for (JsonNode each : json(out.resolve("pictures.json")).path("attention").path("heads")) {
      if (each.path("layer").asInt() == layer && each.path("head").asInt() == head) {
        int b = each.path("weights").binaryValue()[query * (query + 1) / 2 + key] & 0xff;
        return String.valueOf(new BigDecimal(Math.pow(b / 255.0, 2)).round(new MathContext(3)));
      }
    }
    throw new AssertionError("no such head");
  }

  private static JsonNode at(JsonNode tokens, int position) {
    for (JsonNode token : tokens) {
      if (token.path("position").asInt() == position) {
        return token;
      }
    }
    throw new AssertionError("no token at position " + position);
  }

  /** What is saved is a picture, whatever the texts in it are. */
  private static void assertSaves(String view) throws Exception {
    JsonNode saved =
        browser.eval(
            """
            (async () => {
              const made = [];
              const original = URL.createObjectURL;
              URL.createObjectURL = (blob) => { made.push(blob); return original(blob); };
              for (const kind of ['SVG', 'PNG']) {
                [...document.querySelectorAll('#%s .save button')].find((b) => b.textContent === kind).click();
                for (let i = 0; i < 500 && made.length < (kind === 'SVG' ? 1 : 2); i++) await new Promise((r) => setTimeout(r, 10));
              }
              URL.createObjectURL = original;
              const drawn = new DOMParser().parseFromString(await made[0].text(), 'image/svg+xml');
              const bits = await createImageBitmap(made[1]);
              return { error: drawn.querySelector('parsererror')?.textContent ?? '', texts: drawn.querySelectorAll('text').length,
                scripts: drawn.querySelectorAll('script, foreignObject, [onload], [onerror]').length, width: bits.width, height: bits.height };
            })()\
            """
                .formatted(view));
    assertThat(saved.path("error").asString()).as(view).isEmpty();
    assertThat(saved.path("texts").asInt()).as(view).isPositive();
    assertThat(saved.path("scripts").asInt()).as(view).isZero();
    assertThat(saved.path("width").asInt()).as(view).isGreaterThan(300);
    assertThat(saved.path("height").asInt()).as(view).isGreaterThan(30);
  }

  /** The picture's weights are those of the matrix, as far as a byte can tell. */
  @Test
  void matricesAreThoseOfTheAnalysis() throws Exception {
    Path out = folder.resolve("attention");
    assertThat(
            Cli.run("attention", Cli.MODEL, "-p", PROMPT, "-t", 1, "--matrix", "--out", out).code())
        .isZero();
    JsonNode layers = json(out.resolve("attention.json")).path("attention_weights");
    // From the analysis alone, and from what was made for pictures.
    for (String name : List.of("attention.json", "pictures.json")) {
      Path page = folder.resolve(name + ".html");
      assertThat(Cli.run("report", out.resolve(name), "--html", page).code()).isZero();
      browser.open(page);
      String packed = embedded(page);
      JsonNode drawn = null;
      for (JsonNode document :
          Json.mapper().readTree(packed).path("runs").get(0).path("documents")) {
        if (document.path("form").asString().equals("pictures")) {
          drawn = document.path("json").path("attention");
        }
      }
      assertThat(drawn).isNotNull();
      assertThat(drawn.path("pool").asInt()).isEqualTo(1);
      for (JsonNode head : drawn.path("heads")) {
        byte[] bytes = head.path("weights").binaryValue();
        JsonNode rows =
            layers
                .path(head.path("layer").asString())
                .path("heads")
                .path(head.path("head").asString())
                .path("attention_matrix");
        int cell = 0;
        for (JsonNode row : rows) {
          for (JsonNode weight : row) {
            double shown = Math.pow((bytes[cell++] & 0xff) / 255.0, 2);
            assertThat(shown)
                .isCloseTo(weight.asDouble(), within(Math.sqrt(weight.asDouble()) / 255 + 4e-6));
          }
        }
        assertThat(cell).isEqualTo(bytes.length);
      }
      assertQuiet();
    }
  }

  static String embedded(Path page) throws IOException {
    var data =
        Pattern.compile("<script id=\"data\"[^>]*>([^<]*)</script>")
            .matcher(Files.readString(page));
    assertThat(data.find()).isTrue();
    var bytes = Base64.getDecoder().decode(data.group(1));
    try (var in = new GZIPInputStream(new ByteArrayInputStream(bytes))) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    }
  }

  @Test
  void thePathFromABadWeight() throws Exception {
    byte[] bytes = Files.readAllBytes(Path.of(Cli.MODEL));
    long offset =
        GgufFile.read(Path.of(Cli.MODEL)).tensor("blk.2.ffn_down.weight").orElseThrow().offset();
    ByteBuffer.wrap(bytes)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putFloat(Math.toIntExact(offset) + 4 * 101, Float.NaN);
    Path model = Files.write(folder.resolve("poisoned.gguf"), bytes);
    Path page = folder.resolve("poisoned.html");
    assertThat(
            Cli.run(
                    "run",
                    model,
                    "-p",
                    PROMPT,
                    "-n",
                    4,
                    "-t",
                    1,
                    "--out",
                    folder.resolve("poisoned"),
                    "--html",
                    page)
                .code())
        .isEqualTo(1);
    browser.open(page);
    assertThat(browser.text("#verdict .answer"))
        .startsWith(
            "Root cause: ffn_out-2 (MUL_MAT) at position 0: blk.2.ffn_down.weight has 1 bad")
        .contains("value (1 NaN, 0 Inf), the first at [101, 0]");
    JsonNode path =
        browser.eval(
            "[...document.querySelectorAll('#verdict ol.path li')].map((li) => li.textContent)");
    var steps = new ArrayList<String>();
    path.forEach(step -> steps.add(step.asString()));
    assertThat(steps).startsWith("blk.2.ffn_down.weight", "ffn_out-2 (MUL_MAT)", "layer_out-2");
    assertThat(steps).endsWith("logits");
    assertThat(browser.text("#map td[data-key=\"place 2 ffn_out\"]")).isNotEqualTo("0");
    assertThat(browser.text("#map td[data-key=\"place 1 ffn_out\"]")).isEqualTo("0");
    Files.write(SCREENS.resolve("poisoned.png"), browser.picture(true));
    assertQuiet();
  }

  @Test
  void twoQuantizationsSideBySide() throws Exception {
    for (String type : List.of("Q4_0", "Q8_0")) {
      assertThat(
              Cli.run(
                      "diff",
                      "models/tinyllama-mha-" + type + ".gguf",
                      Cli.MODEL,
                      "-t",
                      1,
                      "--chunks",
                      1,
                      "--out",
                      folder.resolve("diffs").resolve(type))
                  .err())
          .isEmpty();
    }
    Path page = folder.resolve("diffs.html");
    assertThat(Cli.run("report", folder.resolve("diffs"), "--html", page).out())
        .contains("with 2 runs");
    browser.open(page);
    choose("#runs label:nth-of-type(2) select", "1");
    browser.await("document.querySelectorAll('#quantization figure').length === 2");
    // Divergence against size has a point for each.
    JsonNode points =
        browser.eval(
            "[...document.querySelector('#quantization svg[aria-label^=\"Mean"
                + " KL\"]').querySelectorAll('circle')].map((c) => [c.cx.baseVal.value,"
                + " c.cy.baseVal.value])");
    JsonNode diff = json(folder.resolve("diffs/Q4_0/diff.json"));
    JsonNode better = json(folder.resolve("diffs/Q8_0/diff.json"));
    double ofLargest =
        diff.at("/model/bytes").asDouble()
            / better.at("/model/bytes").asDouble()
            * (720 - 70 - 140);
    assertThat(points.get(0).get(0).asDouble()).isCloseTo(70 + ofLargest, within(0.01));
    double ofHighest =
        better.at("/logits/kl_mean").asDouble() / diff.at("/logits/kl_mean").asDouble();
    assertThat(points.get(1).get(1).asDouble())
        .isCloseTo(240 - 36 - ofHighest * (240 - 36 - 30), within(0.01));
    assertTokensOfTwo(diff);
    for (List<String> row : csv("quantization").subList(1, 5)) {
      JsonNode node =
          diff.path("nodes")
              .valueStream()
              .filter(n -> n.path("tensor").asString().equals(row.get(2)))
              .filter(n -> n.path("site").asString("").equals(row.get(1)))
              .findFirst()
              .orElseThrow();
      assertThat(Double.parseDouble(row.get(6)))
          .isEqualTo(node.path("accumulated").path("relative_l2").asDouble());
    }
    // What is pointed at in one is marked in the other.
    browser.eval(
        "document.querySelector('#map td[data-key=\"place 1 ffn_out\"]').dispatchEvent(new"
            + " PointerEvent('pointerover', {bubbles: true})); 1");
    assertThat(browser.eval("document.querySelectorAll('#map td.linked').length").asInt())
        .isEqualTo(1);
    Files.write(SCREENS.resolve("diffs.png"), browser.picture(true));
    assertQuiet();
  }

  /**
   * Each token with the divergence of what both models predicted there; their mean is the whole's.
   */
  private static void assertTokensOfTwo(JsonNode diff) throws Exception {
    List<List<String>> rows = csv("text");
    int kl = rows.getFirst().indexOf("kl to reference");
    int probability = rows.getFirst().indexOf("probability");
    int ofReference = rows.getFirst().indexOf("reference probability");
    double sum = 0;
    double surprise = 0;
    double ofTheirs = 0;
    int known = 0;
    JsonNode tokens = json(folder.resolve("diffs/Q4_0/pictures.json")).path("tokens");
    for (JsonNode token : tokens) {
      if (!token.path("kl").isNull()) {
        sum += token.path("kl").asDouble();
        surprise -= Math.log(token.path("probability").asDouble());
        ofTheirs -= Math.log(token.path("reference_probability").asDouble());
        known++;
        List<String> row = rowAt(rows, token.path("position").asString());
        assertThat(Double.parseDouble(row.get(kl))).isEqualTo(token.path("kl").asDouble());
        assertThat(Double.parseDouble(row.get(probability)))
            .isEqualTo(token.path("probability").asDouble());
        assertThat(Double.parseDouble(row.get(ofReference)))
            .isEqualTo(token.path("reference_probability").asDouble());
      }
    }
    assertThat(known).isEqualTo(diff.at("/logits/positions").asInt()).isPositive();
    assertThat(sum / known).isCloseTo(diff.at("/logits/kl_mean").asDouble(), within(1e-9));
    assertThat(Math.exp(surprise / known))
        .isCloseTo(diff.at("/logits/perplexity").asDouble(), within(1e-6));
    assertThat(Math.exp(ofTheirs / known))
        .isCloseTo(diff.at("/logits/perplexity_reference").asDouble(), within(1e-6));
    assertThat(browser.text("#text .key")).startsWith("kl to reference: ");
    assertThat(
            browser
                .eval(
                    "document.querySelector('#text"
                        + " figure').querySelectorAll('[role=listitem][style]').length")
                .asInt())
        .isEqualTo(known);
  }

  private static List<String> rowAt(List<List<String>> rows, String position) {
    return rows.stream().filter(row -> row.getFirst().equals(position)).findFirst().orElseThrow();
  }

  /** What an indexer selects, cell by cell, makes the numbers that are told of it. */
  @Test
  void theMapOfASelection() throws Exception {
    Path model = IndexedModel.write(IndexedModel.Kind.ROTARY_LAYOUT, folder);
    Path out = folder.resolve("sparse");
    Path page = folder.resolve("sparse.html");
    String tokens =
        Arrays.stream(IndexedModel.prompt(96))
            .mapToObj(String::valueOf)
            .collect(Collectors.joining(","));
    Cli cli = Cli.run("sparse", model, "--tokens", tokens, "-t", 1, "--out", out, "--html", page);
    assertThat(cli.code()).as(cli.err()).isZero();
    browser.open(page);
    assertThat(views()).containsExactly("verdict", "text", "sparse", "settings");
    JsonNode told = json(out.resolve("sparse.json")).at("/indexer/layers/1");
    choose("#sparse label:nth-of-type(1) select", "1");
    JsonNode map = null;
    for (JsonNode document :
        Json.mapper().readTree(embedded(page)).path("runs").get(0).path("documents")) {
      if (document.path("form").asString().equals("pictures")) {
        map = document.path("json").path("indexer");
      }
    }
    assertThat(map).isNotNull();
    assertThat(map.path("side").asInt()).isEqualTo(96);
    assertThat(map.path("queries_left_out").asInt()).isZero();
    byte[] selected = map.at("/layers/1/selected").binaryValue();
    byte[] attention = map.at("/layers/1/attention").binaryValue();
    double recall = 0;
    double[] at = new double[96];
    for (int q = IndexedModel.TOP_K; q < 96; q++) {
      for (int k = 0; k <= q; k++) {
        int cell = q * (q + 1) / 2 + k;
        if (selected[cell] != 0) {
          recall += Math.pow((attention[cell] & 0xff) / 255., 2) / (96 - IndexedModel.TOP_K);
          at[k] += 1. / (96 - Math.max(k, IndexedModel.TOP_K));
        }
      }
    }
    assertThat(recall).isCloseTo(told.path("recall").asDouble(), within(0.01));
    for (int k = 0; k < 96; k++) {
      assertThat(at[k]).isCloseTo(told.path("selected_at").get(k).asDouble(), within(1e-9));
    }
    // What is told of a cell is what its bytes are.
    browser.eval("document.querySelector('#sparse canvas.matrix').focus()");
    for (int i = 0; i < 3; i++) {
      browser.key("ArrowDown");
    }
    browser.key("ArrowRight");
    double least = map.at("/layers/1/score_least").asDouble();
    double score =
        least
            + (map.at("/layers/1/scores").binaryValue()[3 * 4 / 2 + 1] & 0xff)
                / 255.
                * (map.at("/layers/1/score_largest").asDouble() - least);
    assertThat(browser.text("#sparse canvas.matrix + [role=status]"))
        .contains("(3) and ", "(1): selected 1, score ");
    double shown =
        Double.parseDouble(
            browser
                .text("#sparse canvas.matrix + [role=status]")
                .replaceAll(".*score (\\S+), .*", "$1"));
    assertThat(shown).isCloseTo(score, within(0.01 * Math.abs(score) + 1e-9));
    // The table, the verdict and the saved numbers.
    List<List<String>> rows = csv("sparse");
    assertThat(Double.parseDouble(rows.get(2).get(rows.getFirst().indexOf("recall"))))
        .isEqualTo(told.path("recall").asDouble());
    assertThat(browser.text("#verdict")).contains("mistake: rotary layout");
    for (String measure : List.of("selected", "attention over all keys", "attention missed")) {
      choose("#sparse label:nth-of-type(2) select", measure);
      assertThat(browser.text("#sparse [data-selection] h3")).contains(measure);
    }
    assertSaves("sparse");
    for (boolean dark : new boolean[] {false, true}) {
      browser.window(dark ? 400 : 1280, dark);
      assertContrast();
      assertThat(browser.eval("document.documentElement.scrollWidth").asInt())
          .isEqualTo(dark ? 400 : 1280);
      Files.write(
          SCREENS.resolve(dark ? "sparse-400-dark.png" : "sparse-1280.png"), browser.picture(true));
    }
    browser.window(1280, false);
    assertQuiet();
  }

  /** What keeping some keys would cost a dense model. */
  @Test
  void policiesOfADenseModel() throws Exception {
    Path out = folder.resolve("policies");
    Path page = folder.resolve("policies.html");
    Cli cli =
        Cli.run(
            "sparse",
            Cli.MODEL,
            "-p",
            "The function returns a value to the caller. ".repeat(8),
            "-t",
            1,
            "--budgets",
            "4,8",
            "--out",
            out,
            "--html",
            page);
    assertThat(cli.code()).as(cli.err()).isZero();
    browser.open(page);
    JsonNode policies = json(out.resolve("sparse.json")).path("policies");
    List<List<String>> rows = csv("sparse");
    List<String> names = rows.getFirst();
    int kept = 0;
    for (List<String> row : rows.subList(1, rows.size())) {
      if (row.getFirst().equals("policy")) {
        JsonNode head =
            policies
                .path("heads")
                .valueStream()
                .filter(each -> each.path("layer").asString().equals(row.get(1)))
                .filter(each -> each.path("head").asString().equals(row.get(2)))
                .findFirst()
                .orElseThrow();
        JsonNode policy =
            head.path("kept")
                .valueStream()
                .filter(each -> each.path("policy").asString().equals(row.get(3)))
                .filter(each -> each.path("budget").asString().equals(row.get(4)))
                .findFirst()
                .orElseThrow();
        assertThat(Double.parseDouble(row.get(names.indexOf("mass"))))
            .isEqualTo(policy.path("mass").asDouble());
        kept++;
      }
    }
    assertThat(kept).isEqualTo(16 * 5 * 2);
    JsonNode shares =
        browser.eval(
            "[...document.querySelectorAll('#sparse [aria-label=\"Keys needed\"] td[data-key]')]"
                + ".map((cell) => Number(cell.textContent))");
    assertThat(shares.size()).isEqualTo(16);
    for (int i = 0; i < 16; i++) {
      assertThat(shares.get(i).asDouble())
          .isCloseTo(policies.at("/heads/" + i + "/needed/95").asDouble(), within(0.006));
    }
    assertThat(browser.text("#verdict .answer")).contains("of 4 layers could attend");
    // Shapes of heads, and which tokens they prefer beyond chance.
    JsonNode patterns = json(out.resolve("sparse.json")).path("patterns");
    JsonNode letters =
        browser.eval(
            "[...document.querySelectorAll('#sparse [aria-label=\"Shapes of heads\"]"
                + " td[data-key]')].map((cell) => [cell.dataset.key, cell.textContent])");
    assertThat(letters.size()).isEqualTo(patterns.path("heads").size()).isEqualTo(16);
    var byKind = new TreeMap<String, String>();
    for (int i = 0; i < 16; i++) {
      JsonNode head = patterns.path("heads").get(i);
      assertThat(letters.get(i).get(0).asString())
          .isEqualTo("head " + head.path("layer").asInt() + "." + head.path("head").asInt());
      String letter = letters.get(i).get(1).asString();
      assertThat(byKind.computeIfAbsent(head.path("kind").asString("none"), kind -> letter))
          .isEqualTo(letter);
    }
    assertThat(byKind.values()).doesNotHaveDuplicates().hasSizeGreaterThan(1);
    long preferred =
        patterns
            .path("kinds")
            .valueStream()
            .flatMap(kind -> kind.path("tokens").valueStream())
            .filter(token -> token.path("chance").isNumber())
            .filter(token -> token.path("chance").asDouble() <= 0.05)
            .count();
    assertThat(
            browser
                .eval(
                    "[...document.querySelectorAll('#sparse [data-shapes] table.plain')].filter((t)"
                        + " => t.textContent.startsWith('shape')).reduce((n, t) => n +"
                        + " t.tBodies[0].rows.length, 0)")
                .asLong())
        .isEqualTo(preferred);
    browser.window(400, true);
    assertContrast();
    browser.window(1280, false);
    assertSaves("sparse");
    assertQuiet();
  }

  /** A point of one run's matrix is the other's, too. */
  @Test
  void matricesOfTwoRunsHaveOneCursor() throws Exception {
    for (String name : List.of("one", "two")) {
      String model = name.equals("one") ? Cli.MODEL : "models/tinyllama-mha-Q4_0.gguf";
      assertThat(
              Cli.run(
                      "attention",
                      model,
                      "-p",
                      "The program returns",
                      "-t",
                      1,
                      "--out",
                      folder.resolve("cursors").resolve(name))
                  .code())
          .isZero();
    }
    Path page = folder.resolve("cursors.html");
    assertThat(Cli.run("report", folder.resolve("cursors"), "--html", page).code()).isZero();
    browser.open(page);
    choose("#runs label:nth-of-type(2) select", "1");
    browser.await("document.querySelectorAll('#heads figure').length === 2");
    browser.eval("document.querySelector('#heads [data-head=\"1.0\"]').click(); 1");
    browser.await("document.querySelectorAll('#heads canvas.matrix').length === 2");
    browser.eval("document.querySelectorAll('#heads canvas.matrix')[1].focus()");
    browser.key("ArrowDown");
    browser.key("ArrowDown");
    browser.key("ArrowRight");
    JsonNode told =
        browser.eval(
            "[...document.querySelectorAll('#heads canvas.matrix + [role=status]')].map((said) =>"
                + " said.textContent)");
    assertThat(told.get(0).asString())
        .contains("(2) → ", "(1): ")
        .endsWith(": " + weight(folder.resolve("cursors/one"), 1, 0, 2, 1));
    assertThat(told.get(1).asString())
        .contains("(2) → ", "(1): ")
        .endsWith(": " + weight(folder.resolve("cursors/two"), 1, 0, 2, 1));
    assertThat(told.get(0)).isNotEqualTo(told.get(1));
    Files.write(SCREENS.resolve("cursors.png"), browser.picture(true));
    assertQuiet();
  }

  private static final String MARKUP =
      "</script><img src=x onerror=\"window.pwned=1\"><svg"
          + " onload=\"window.pwned=1\">\u202e\u0000\u001b[2J";

  /** A vocabulary and metadata that attack whoever shows them. */
  @Test
  void aHostileModel() throws Exception {
    var gguf = new Gguf(Path.of(Cli.MODEL));
    List<String> tokens = new ArrayList<>(gguf.texts("tokenizer.ggml.tokens"));
    tokens.set(300, "<script>window.pwned=1</script>");
    tokens.set(301, "\"><img/src=x/onerror=window.pwned=1>");
    tokens.set(302, "x".repeat(10_000));
    tokens.set(303, "\u202eevil\u2066");
    Path model =
        gguf.texts("tokenizer.ggml.tokens", tokens)
            .text("general.name", MARKUP)
            .write(folder.resolve("<img src=x onerror=window.pwned=1>.gguf"));
    Path page = folder.resolve("hostile.html");
    Cli run =
        Cli.run(
            "run",
            model,
            "--tokens",
            "0,300,301,302,303,300,301,302,303",
            "-n",
            8,
            "-t",
            1,
            "--out",
            folder.resolve("hostile"),
            "--html",
            page);
    assertThat(run.code()).as(run.err()).isLessThan(2);
    browser.open(page);
    assertThat(browser.text("#text"))
        .contains("<script>window.pwned=1</script>", "x".repeat(60) + "…")
        .doesNotContain("x".repeat(61));
    assertHarmless();
    assertThat(Files.readString(page)).doesNotContain("pwned");
  }

  /** Every text of every document attacks. */
  @Test
  void hostileDocuments() throws Exception {
    Path source = folder.resolve("sound");
    Path model = Path.of("models/tinyllama-mha-Q4_0.gguf");
    Cli.run("run", model, "-p", PROMPT, "-n", 4, "-t", 1, "--out", source);
    Cli.run("lens", model, "-p", PROMPT, "-n", 1, "-t", 1, "--out", source.resolve("lens"));
    Cli.run("diff", model, Cli.MODEL, "-t", 1, "--chunks", 1, "--out", source.resolve("diff"));
    Files.writeString(
        source.resolve("heads.json"),
        Cli.run("heads", model, "--sequences", 1, "-t", 1, "--json").out());
    Files.writeString(
        source.resolve("check.json"),
        Cli.run("check", model, "--only", "file", "--no-summary", "--json").out());
    Files.writeString(
        source.resolve("perplexity.json"),
        Cli.run("perplexity", model, "-p", PROMPT, "-t", 1, "--json").out());
    Path indexed = IndexedModel.write(IndexedModel.Kind.HADAMARD, folder);
    String many = "1" + ",2,3,5,7".repeat(12);
    Cli.run("sparse", indexed, "--tokens", many, "-t", 1, "--out", source.resolve("sparse"));
    Cli.run(
        "sparse",
        model,
        "-p",
        PROMPT,
        "--budgets",
        8,
        "-t",
        1,
        "--out",
        source.resolve("sparse/policies"));
    Files.writeString(
        source.resolve("doctor.json"),
        """
        {"answer":"a","suspects":[{"illness":"other","sentence":"s","evidence":["e"],"advice":["x"]}],"noticed":["n"],"not_looked_at":["l"]}\
        """);
    try (var files = Files.walk(source)) {
      for (Path file : files.filter(each -> each.toString().endsWith(".json")).toList()) {
        Files.writeString(file, Json.line(hostile(json(file), "")));
      }
    }
    Path page = folder.resolve("documents.html");
    Cli report = Cli.run("report", source, "--html", page);
    assertThat(report.out()).contains("with 5 runs");
    browser.open(page);
    for (int run = 0; run < 5; run++) {
      browser.eval("delete document.documentElement.dataset.drawn");
      choose("#runs select", String.valueOf(run));
      browser.await("document.documentElement.dataset.drawn === 'yes'");
      // Whatever opens is opened, whatever is told is told.
      browser.eval(
          """
          for (const each of document.querySelectorAll('#map td, #heads [data-head]')) { if (each.isConnected) each.click(); }
          for (const each of document.querySelectorAll('main [data-key], main li, main path')) each.dispatchEvent(new PointerEvent('pointerover', {bubbles: true}));
          1\
          """);
      assertSaves("verdict");
      assertSaves("settings");
      assertHarmless();
    }
  }

  /** Of matrices and selections. */
  private static final Set<String> BYTES = Set.of("weights", "selected", "scores", "attention");

  private static Object hostile(JsonNode json, String name) {
    if (json.isObject()) {
      var all = new LinkedHashMap<String, Object>();
      json.properties()
          .forEach(each -> all.put(each.getKey(), hostile(each.getValue(), each.getKey())));
      return all;
    }
    if (json.isArray()) {
      return json.valueStream().map(each -> hostile(each, name)).toList();
    }
    // Of pictures only the texts: their bytes are no text.
    return json.isString() && !BYTES.contains(name) ? json.asString() + MARKUP : json;
  }

  private static void assertHarmless() throws Exception {
    Thread.sleep(50);
    assertThat(browser.eval("window.pwned === undefined").asBoolean()).isTrue();
    assertThat(
            browser
                .eval(
                    "document.querySelectorAll('img, iframe, object, [onload], [onerror]').length")
                .asInt())
        .isZero();
    assertThat(browser.eval("document.documentElement.innerText").asString())
        .doesNotContain("\u202e")
        .doesNotContain("\u0000")
        .doesNotContain("\u001b");
    assertQuiet();
  }

  /** What a measure is called is told in the words of its definition. */
  @Test
  void definitionsAreThoseOfTheDocumentation() throws Exception {
    String page = Files.readString(Path.of("cli/src/main/web/definitions.js"));
    var table =
        Pattern.compile("(?m)^\\| ((?:`\\w+`(?:, )?)+) \\| ([^|]*) \\| (.*?) \\|$")
            .matcher(Files.readString(Path.of("docs/definitions/heads.md")));
    int told = 0;
    while (table.find()) {
      String name = table.group(1).replaceAll("`,.*|`", "");
      String words = table.group(3) + " (rows: " + table.group(2) + ")";
      if (page.contains("  " + name + ": ")) {
        assertThat(page).contains("  " + name + ": \"" + words + "\",");
        told++;
      }
    }
    assertThat(told).isGreaterThan(20);
  }

  @ParameterizedTest
  @CsvSource({
    "attention -p text -t 1, verdict text heads patterns flow settings",
    "heads --sequences 1 -t 1, verdict heads settings",
    "lens -p text -t 1, verdict text lens settings",
    "diff --reference models/tinyllama-mha-Q8_0.gguf -p text -t 1, verdict map text quantization"
        + " settings",
    "check --only file --no-summary, verdict settings",
    "doctor -p text, verdict settings",
    "perplexity -p text -t 1, verdict text settings",
  })
  void everyCommandWritesItsPage(String words, String views) throws Exception {
    Path page = folder.resolve("of-" + words.split(" ", 2)[0] + ".html");
    var line =
        new ArrayList<Object>(
            List.of(words.replace("text", "The-function-returns").split(" ", -1)));
    line.addAll(List.of("-m", Cli.MODEL, "--html", page));
    if (words.startsWith("attention")) {
      line.addAll(List.of("--out", folder.resolve("of-attention")));
    }
    Cli cli = Cli.run(line.toArray());
    assertThat(cli.code()).as(cli.err()).isLessThan(2);
    browser.open(page);
    assertThat(views()).isEqualTo(List.of(views.split(" ", -1)));
    String shown = browser.eval("document.getElementById('runs').textContent").asString();
    assertThat(shown.split(Path.of(Cli.MODEL).getFileName().toString(), -1)).hasSize(2);
    assertQuiet();
  }
}
