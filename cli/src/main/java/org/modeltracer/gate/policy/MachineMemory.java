package org.modeltracer.gate.policy;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** The memory that a policy allows which leaves it to the machine. */
final class MachineMemory {
  private static final int PERCENT = 80;
  private static final long MEGABYTE = 1 << 20;

  private MachineMemory() {}

  /** Four fifths of the machine's memory, or of the container's, in bytes; 0 when unknown. */
  static long allowed() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof OperatingSystemMXBean system
        ? system.getTotalMemorySize() / 100 * PERCENT / MEGABYTE * MEGABYTE
        : 0;
  }
}
