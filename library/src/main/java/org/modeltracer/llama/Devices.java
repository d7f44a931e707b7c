package org.modeltracer.llama;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.modeltracer.llama.ModelOptions.Placement;
import org.modeltracer.llama.ffi.DeviceType;
import org.modeltracer.llama.ffi.GgmlFunctions;

/** The devices of this machine, by ggml's address of each, and which of them a model is given. */
final class Devices {
  private final GgmlFunctions ggml;
  private final boolean integrated;

  /**
   * Those that a library knows.
   *
   * @param integrated whether it tells graphics processors in the processor's memory from
   *     accelerators; older generations number both alike
   */
  Devices(GgmlFunctions ggml, boolean integrated) {
    this.ggml = ggml;
    this.integrated = integrated;
  }

  /** All of them, in ggml's order. */
  List<Device> all() {
    return addresses().mapToObj(this::device).toList();
  }

  /**
   * What {@code llama_model_params.devices} takes for a placement that does without servers; empty
   * for the processor alone.
   *
   * @throws LlamaException for a device that is not there
   */
  List<Long> offloading(Placement placement) {
    return placement.devices().isEmpty() ? usual() : named(placement.devices());
  }

  /** On what a model so placed computes, the processor last. */
  List<Device> of(Placement placement) {
    List<Long> chosen = offloading(placement);
    return addresses()
        .filter(device -> chosen.contains(device) || !offloads(device))
        .mapToObj(this::device)
        .toList();
  }

  /** llama.cpp's choice: graphics processors; integrated ones only where there are no others. */
  private List<Long> usual() {
    List<Long> own = of(DeviceType.GPU);
    return own.isEmpty() && integrated ? of(DeviceType.INTEGRATED) : own;
  }

  private List<Long> named(List<String> words) {
    var chosen = new LinkedHashMap<Long, Device>();
    for (String word : words) {
      Map<Long, Device> meant =
          addresses()
              .boxed()
              .collect(Collectors.toMap(a -> a, this::device, (a, b) -> a, LinkedHashMap::new));
      meant.values().removeIf(device -> !device.isMeantBy(word));
      if (meant.isEmpty()) {
        throw LlamaException.naming(
            LlamaException.Kind.ARGUMENT,
            "{}: llama.cpp has no device or backend '%s', only %s; {} takes a build with others"
                .formatted(
                    word, all().stream().map(Device::name).collect(Collectors.joining(", "))),
            Setting.DEVICES,
            Setting.LIBRARY);
      }
      chosen.putAll(meant);
    }
    chosen.values().removeIf(device -> !device.offloads());
    return List.copyOf(chosen.keySet());
  }

  private List<Long> of(DeviceType wanted) {
    return addresses().filter(device -> ggml.deviceType(device) == wanted).boxed().toList();
  }

  private boolean offloads(long device) {
    DeviceType type = ggml.deviceType(device);
    return type == DeviceType.GPU || integrated && type == DeviceType.INTEGRATED;
  }

  private LongStream addresses() {
    return LongStream.range(0, ggml.devices()).map(ggml::device);
  }

  private Device device(long address) {
    GgmlFunctions.Memory memory = ggml.deviceMemory(address);
    return new Device(
        ggml.deviceName(address),
        ggml.deviceDescription(address).strip(),
        ggml.registryName(ggml.deviceRegistry(address)),
        offloads(address),
        memory.bytes(),
        memory.freeBytes());
  }
}
