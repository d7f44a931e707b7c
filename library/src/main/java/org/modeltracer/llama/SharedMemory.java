package org.modeltracer.llama;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.modeltracer.llama.ffi.Descriptors;

/**
 * Memory that processes of the same user can share with this one, for as long as it lives.
 *
 * <p>It is a file without a name: nothing is left of it when the last process that has it is gone,
 * however that ends. Its size is sealed, so that nobody can pull it from under who reads it. Pages
 * take room from when they are first written.
 */
public final class SharedMemory implements AutoCloseable {
  private final Arena arena = Arena.ofShared();
  private final int descriptor;
  private final MemorySegment memory;

  /**
   * Makes zeroed memory.
   *
   * @throws LlamaException where the system has no memory to share by such files
   */
  public SharedMemory(long bytes) {
    descriptor = Descriptors.memoryFile("modeltracer", bytes);
    if (descriptor < 0) {
      throw new LlamaException(
          LlamaException.Kind.LIBRARY,
          "cannot make memory to share with another process: that takes Linux with memfd_create");
    }
    Path file = Path.of("/proc/self/fd/" + descriptor);
    try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      memory = channel.map(FileChannel.MapMode.READ_WRITE, 0, bytes, arena);
    } catch (IOException e) {
      arena.close();
      Descriptors.close(descriptor);
      throw new LlamaException(
          LlamaException.Kind.LIBRARY,
          "cannot map memory to share with another process: " + e.getMessage());
    }
  }

  /** What other processes of this user open it by, while this process lives. */
  public String path() {
    return "/proc/" + ProcessHandle.current().pid() + "/fd/" + descriptor;
  }

  /** The memory. */
  public MemorySegment memory() {
    return memory;
  }

  /** Gives all of its room back, also that which other processes still have mapped. */
  @Override
  public void close() {
    Descriptors.discard(memory);
    arena.close();
    Descriptors.close(descriptor);
  }
}
