package org.modeltracer.diagnose;

/** Backends of llama.cpp whose kernels were read for what they keep in F16. */
public enum Gpu {
  CUDA("CUDA"),
  VULKAN("Vulkan"),
  METAL("Metal");

  private final String words;

  Gpu(String words) {
    this.words = words;
  }

  @Override
  public String toString() {
    return words;
  }
}
