package org.modeltracer.gguf;

import static java.util.Map.entry;

import java.util.Map;

/** Element types that llama.cpp had once, or that only forks of it have. */
final class StrangeType {
  private static final Map<Integer, String> REMOVED = Map.of(4, "q4_2", 5, "q4_3");
  private static final Map<Integer, String> REPACKED =
      Map.of(
          31, "q4_0_4_4",
          32, "q4_0_4_8",
          33, "q4_0_8_8",
          36, "iq4_nl_4_4",
          37, "iq4_nl_4_8",
          38, "iq4_nl_8_8");

  /** Of BitNet's fork, which numbers its types as ggml numbered repacked ones. */
  private static final Map<Integer, String> BITNET = Map.of(36, "i2_s", 37, "i8_s", 38, "tl1");

  /** Of ik_llama.cpp; 202 and up are the same, rows interleaved. */
  private static final Map<Integer, String> IK =
      Map.ofEntries(
          entry(133, "q6_0"),
          entry(134, "iq1_bn"),
          entry(135, "iq2_bn"),
          entry(137, "iq2_k"),
          entry(138, "iq3_k"),
          entry(139, "iq4_k"),
          entry(140, "iq5_k"),
          entry(141, "iq6_k"),
          entry(144, "iq4_ks"),
          entry(145, "iq2_ks"),
          entry(146, "iq4_kss"),
          entry(152, "iq5_ks"),
          entry(153, "iq2_kt"),
          entry(154, "iq3_kt"),
          entry(155, "iq4_kt"),
          entry(156, "iq3_ks"),
          entry(157, "iq2_kl"),
          entry(158, "iq1_kt"));

  private static final int FIRST_OF_IK = 133;
  private static final int LAST_OF_IK = 399;

  private StrangeType() {}

  /** What a type is that this ggml does not have, and what to do about it. */
  static String words(int id) {
    if (REMOVED.containsKey(id)) {
      return REMOVED.get(id) + ", removed from llama.cpp in 2023: quantize the model again";
    }
    if (REPACKED.containsKey(id)) {
      String also = BITNET.containsKey(id) ? " (or " + BITNET.get(id) + " of BitNet's fork)" : "";
      String plain = id < 36 ? "q4_0" : "iq4_nl";
      return "%s%s, repacked for one CPU and removed from llama.cpp: take the %s file, which it"
              .formatted(REPACKED.get(id), also, plain)
          + " repacks as it loads";
    }
    if (id >= FIRST_OF_IK && id <= LAST_OF_IK) {
      String name = IK.containsKey(id) ? IK.get(id) + " of ik_llama.cpp" : "of ik_llama.cpp";
      return name + ", a fork: run the file there, or take one of a type that llama.cpp has";
    }
    return "newer than this program, of a fork, or damage: take a file of a type that llama.cpp"
        + " has";
  }
}
