package org.modeltracer.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.modeltracer.trace.Json;

/** The page as a file: its size, its policy, and what becomes of results that are none. */
class ReportPageTest {
  @TempDir Path folder;

  /** 4,096 tokens and all heads of a model of 24 x 14, with bytes that nothing compresses. */
  @Test
  void theLargestPictureIsBelowFiveMegabytes() {
    var random = new Random(3);
    int side = 128;
    var heads = new ArrayList<AttentionPicture.Head>();
    for (int head = 0; head < 336; head++) {
      byte[] bytes = new byte[side * (side + 1) / 2];
      random.nextBytes(bytes);
      heads.add(
          new AttentionPicture.Head(
              head / 14, head % 14, Base64.getEncoder().encodeToString(bytes)));
    }
    var tokens = new ArrayList<Pictures.Token>();
    for (int p = 0; p < 4096; p++) {
      tokens.add(
          new Pictures.Token(
              p, p, "word" + random.nextInt(30_000), false, null, null, null, null, List.of()));
    }
    var picture =
        new Pictures.Picture(
            tokens,
            0,
            new PassNorms.Picture(1, List.of()),
            new AttentionPicture(4096, 32, side, heads),
            null);
    ReportPage page =
        ReportPage.of(List.of(ReportRun.of("big", Map.of("pictures.json", Json.line(picture)))));
    assertThat(page.html().length()).isBetween(3_000_000, 5_000_000);
  }

  @Test
  void nothingMayRunOrLoadThatWasNotHashed() {
    ReportPage page = ReportPage.of(List.of());
    assertThat(page.policy())
        .startsWith("default-src 'none';")
        .contains("script-src 'sha256-", "style-src 'sha256-")
        .doesNotContain("unsafe", "connect-src", "http:", "https:");
    assertThat(page.html()).contains(page.policy()).doesNotContain("{{");
    // No address but the name that SVG elements have.
    assertThat(page.html().replace("http://www.w3.org/2000/svg", "")).doesNotContain("://");
    assertThat(ReportPage.live().policy()).isEqualTo(livePolicy(ReportPage.live().html()));
  }

  private static String livePolicy(String html) {
    int from = html.indexOf("default-src");
    return html.substring(from, html.indexOf('"', from));
  }

  @Test
  void whatIsNoResultIsRefusedByName() throws Exception {
    Path other = Files.writeString(folder.resolve("package.json"), "{\"name\":\"x\"}");
    Path broken = Files.writeString(folder.resolve("broken.json"), "{\"nodes\":[");
    Path missing = folder.resolve("missing.json");
    assertThatThrownBy(() -> ReportRun.read(List.of(other)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(other + ": none of the results that are known");
    assertThatThrownBy(() -> ReportRun.read(List.of(broken)))
        .hasMessageStartingWith(broken + ": no JSON");
    assertThatThrownBy(() -> ReportRun.read(List.of(missing)))
        .hasMessage("no such file: " + missing);
    assertThatThrownBy(() -> ReportRun.read(List.of(folder)))
        .hasMessageStartingWith(folder + ": no results in it");
  }

  /** Files of a folder are one run, unless two of them tell the same. */
  @Test
  void filesBecomeRuns() throws Exception {
    String check = "{\"checks\":[],\"policy\":{},\"verdict\":\"pass\"}";
    String lens = "{\"positions\":[],\"steps\":[]}";
    Path one = Files.writeString(folder.resolve("a.json"), check);
    Path two = Files.writeString(folder.resolve("b.json"), check);
    Path three = Files.writeString(folder.resolve("c.json"), lens);
    List<ReportRun> runs = ReportRun.read(List.of(one, two, three));
    assertThat(runs.stream().map(run -> run.documents().size())).containsExactly(2, 1);
    assertThat(runs.get(1).name()).isEqualTo("b.json");
  }
}
