package org.modeltracer.report;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.modeltracer.trace.Json;

/**
 * One page with all that it needs: style, script, and results as base64 of gzipped JSON, in which
 * no text of a model can end the element it stands in.
 *
 * <p>Its policy lets run what was hashed here and nothing else, and lets it ask nobody for
 * anything; a page of a run in progress may ask the server that it came from.
 *
 * @param policy the policy, as the page has it and as a server may send it
 * @param html the page
 */
public record ReportPage(String policy, String html) {
  private static final String NOWHERE =
      "default-src 'none'; img-src data: blob:; base-uri 'none'; form-action 'none'";

  /** A page of runs, to be opened from disk. */
  public static ReportPage of(List<ReportRun> runs) {
    return page(runs, "", "");
  }

  /** A page that follows the run which serves it. */
  static ReportPage live() {
    return page(
        List.of(), "document.documentElement.dataset.live = \"yes\";\n", "; connect-src 'self'");
  }

  private static ReportPage page(List<ReportRun> runs, String before, String more) {
    String style = Bundle.resource("page.css");
    String script = before + Bundle.of("page.js");
    String policy = NOWHERE + "; script-src " + hash(script) + "; style-src " + hash(style) + more;
    String page = Bundle.resource("page.html");
    for (Map.Entry<String, String> part :
        Map.of(
                "{{csp}}",
                policy,
                "{{style}}",
                style,
                "{{script}}",
                script,
                "{{data}}",
                packed(runs))
            .entrySet()) {
      page = page.replace(part.getKey(), part.getValue());
    }
    return new ReportPage(policy, page);
  }

  private static String packed(List<ReportRun> runs) {
    var bytes = new ByteArrayOutputStream();
    try (var gzip = new GZIPOutputStream(bytes)) {
      gzip.write(Json.line(Map.of("runs", runs)).getBytes(StandardCharsets.UTF_8));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Base64.getEncoder().encodeToString(bytes.toByteArray());
  }

  private static String hash(String text) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
      return "'sha256-" + Base64.getEncoder().encodeToString(hash) + "'";
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java has SHA-256", e);
    }
  }
}
