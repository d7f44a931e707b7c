package org.modeltracer.gate.checks;

import static java.util.stream.Collectors.joining;

import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.modeltracer.anomaly.Severity;
import org.modeltracer.diagnose.Gpu;
import org.modeltracer.diagnose.HalfValue;
import org.modeltracer.diagnose.ProductRange;
import org.modeltracer.diagnose.ProductWatch;
import org.modeltracer.llama.Batch;
import org.modeltracer.llama.LlamaContext;
import org.modeltracer.llama.LlamaModel;

/**
 * Whether GPUs, which keep some numbers of matrix products in F16, would have room for them: asked
 * of a run on whatever device is at hand, a CPU without one.
 */
final class BackendHeadroom extends Check {
  private static final Pattern LAYER = Pattern.compile("blk\\.(\\d{1,3})\\..*");
  private static final Set<HalfValue> OF_BLOCKS =
      EnumSet.of(HalfValue.BLOCK_SUM, HalfValue.HALF_BLOCK_SUM, HalfValue.BLOCK_SCALE);

  BackendHeadroom() {
    super(
        "backend.headroom",
        Needs.MODEL,
        "bits left before what GPUs keep in F16 of matrix products overflows");
  }

  @Override
  CheckResult run(Subject subject) {
    double limit = subject.policy().limit("backend.headroom.bits");
    double near = Math.max(limit, subject.policy().thresholds().headroomBits());
    var check = new CheckResultBuilder(this, subject);
    List<ProductRange> products = measure(subject);
    if (products.isEmpty()) {
      throw new NotApplicable("no product of activations with a weight of the file was seen");
    }
    for (ProductRange product : products) {
      Map<HalfValue, Set<Gpu>> tight = tight(product, near);
      if (!tight.isEmpty()) {
        Evidence evidence = evidence(product, tight);
        boolean fails = tight.keySet().stream().anyMatch(value -> product.bits(value) < limit);
        if (fails) {
          check.fails(evidence);
        } else {
          check.notes(evidence);
        }
      }
    }
    check.signal("products", products.size()).signal("limit", limit);
    List<String> words = new ArrayList<>();
    for (Gpu gpu : Gpu.values()) {
      double least = least(products, gpu);
      check.signal("bits_" + gpu.name().toLowerCase(Locale.ROOT), least);
      if (Double.isFinite(least)) {
        words.add("%.1f on %s".formatted(least, gpu));
      }
    }
    return check.result(
        words.isEmpty()
            ? "no GPU keeps anything of these products in F16"
            : "at least so many bits before F16 overflow: " + String.join(", ", words));
  }

  private static List<ProductRange> measure(Subject subject) {
    LlamaModel model = subject.model();
    try (var watch = new ProductWatch(model.runtime(), subject.file());
        LlamaContext context = model.context(Prompts.context(subject))) {
      context.observe(watch);
      for (int[] prompt : subject.prompts().tokens()) {
        read(context, prompt);
      }
      return watch.products();
    }
  }

  /** Reads a prompt, with nothing remembered. */
  private static void read(LlamaContext context, int[] prompt) {
    LlamaModel model = context.model();
    Batch batch = context.batch().clear();
    if (context.cache().exists()) {
      context.cache().clear();
    }
    if (model.hasEncoder()) {
      context.encode(add(batch, prompt, 0, prompt.length));
      if (model.hasDecoder()) {
        context.decode(add(batch.clear(), new int[] {model.decoderStart()}, 0, 1));
      }
      return;
    }
    for (int from = 0; from < prompt.length; from += batch.capacity()) {
      context.decode(add(batch.clear(), prompt, from, from + batch.capacity()));
    }
  }

  private static Batch add(Batch batch, int[] tokens, int from, int to) {
    for (int i = from; i < Math.min(to, tokens.length); i++) {
      batch.add(tokens[i], i, 0, true);
    }
    return batch;
  }

  /** What is near overflow, and where. */
  private static Map<HalfValue, Set<Gpu>> tight(ProductRange product, double near) {
    Map<HalfValue, Set<Gpu>> tight = new LinkedHashMap<>();
    for (Gpu gpu : Gpu.values()) {
      product
          .tightest(gpu)
          .filter(value -> product.bits(value) < near)
          .ifPresent(
              value -> tight.computeIfAbsent(value, _ -> EnumSet.noneOf(Gpu.class)).add(gpu));
    }
    return tight;
  }

  private static double least(List<ProductRange> products, Gpu gpu) {
    return products.stream()
        .flatMap(product -> product.tightest(gpu).map(product::bits).stream())
        .mapToDouble(bits -> bits)
        .min()
        .orElse(Double.POSITIVE_INFINITY);
  }

  private static Evidence evidence(ProductRange product, Map<HalfValue, Set<Gpu>> tight) {
    boolean overflows = tight.keySet().stream().anyMatch(value -> product.bits(value) < 0);
    boolean ofBlocks =
        tight.keySet().stream()
            .anyMatch(value -> OF_BLOCKS.contains(value) && product.bits(value) < 0);
    Matcher layer = LAYER.matcher(product.weight());
    String where =
        tight.entrySet().stream()
            .map(entry -> words(product, entry.getKey(), entry.getValue()))
            .collect(joining("; "));
    return Evidence.ofTensor(
        !overflows ? "headroom" : ofBlocks ? "block_sum_overflow" : "f16_overflow",
        overflows ? Severity.CRITICAL : Severity.WARNING,
        product.weight(),
        layer.matches() ? Integer.valueOf(layer.group(1)) : null,
        "product with %s (%s): %s".formatted(product.weight(), product.type().ggmlName(), where));
  }

  private static String words(ProductRange product, HalfValue value, Set<Gpu> gpus) {
    return "on %s %s reaches %.4g, %.2f bits before F16 overflow"
        .formatted(
            gpus.stream().map(Gpu::toString).collect(joining(" and ")),
            value,
            value.largest(product),
            product.bits(value));
  }
}
