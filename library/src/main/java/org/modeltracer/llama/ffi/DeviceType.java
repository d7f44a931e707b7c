package org.modeltracer.llama.ffi;

/** What a device computes with, in ggml's order. */
public enum DeviceType {
  CPU,
  GPU,
  /** A graphics processor in the processor's memory; an accelerator for old releases. */
  INTEGRATED,
  /** Whatever works beside the processor. */
  OTHER;

  static DeviceType of(int number) {
    return number < OTHER.ordinal() ? values()[number] : OTHER;
  }
}
