package org.modeltracer.llama;

/**
 * Something that llama.cpp computes on.
 *
 * @param name ggml's name, unique in a process, such as {@code CPU} or {@code Vulkan0}
 * @param description what the hardware calls itself, as its driver tells
 * @param backend the part of llama.cpp that drives it, such as {@code CPU} or {@code Vulkan}
 * @param offloads whether layers can be offloaded to it; else it works in the processor's memory
 * @param bytes its memory, 0 where it does not tell
 * @param freeBytes what of that is free
 */
public record Device(
    String name, String description, String backend, boolean offloads, long bytes, long freeBytes) {

  /** Whether who writes {@code word} means it: its name or its backend, in any case. */
  boolean isMeantBy(String word) {
    return name.equalsIgnoreCase(word) || backend.equalsIgnoreCase(word);
  }

  /** Its name, and what it is where the name does not tell. */
  @Override
  public String toString() {
    return offloads ? "%s (%s)".formatted(name, description) : name;
  }
}
