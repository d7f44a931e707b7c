package org.modeltracer.gate.policy;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.OptionalLong;

/** The memory of the machine, or of the container. */
public final class MachineMemory {
  private static final int PERCENT = 80;
  private static final long MEGABYTE = 1 << 20;

  private MachineMemory() {}

  /** All of it, in bytes; empty when unknown. */
  public static OptionalLong bytes() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system
        ? OptionalLong.of(system.getTotalMemorySize())
        : OptionalLong.empty();
  }

  /** What a policy allows that leaves it to the machine: four fifths; 0 when unknown. */
  static long allowed() {
    return bytes().orElse(0) / 100 * PERCENT / MEGABYTE * MEGABYTE;
  }
}
