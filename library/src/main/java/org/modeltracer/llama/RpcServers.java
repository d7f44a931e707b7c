package org.modeltracer.llama;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.modeltracer.llama.ffi.GgmlFunctions;
import org.modeltracer.llama.ffi.OfferedFunction;

/**
 * The machines that models of this process are spread over by llama.cpp's RPC backend.
 *
 * <p>Their devices are given to the models that ask for them and to no others, hence not entered
 * into ggml's registry, where every model would find them.
 */
final class RpcServers {
  private final GgmlFunctions ggml;
  private final Path file;
  private final String version;
  private final Map<RpcEndpoint, List<Long>> devices = new HashMap<>();
  private final Map<RpcEndpoint, Integer> inUse = new HashMap<>();

  RpcServers(GgmlFunctions ggml, Path file, String version) {
    this.ggml = ggml;
    this.file = file;
    this.version = version;
  }

  /**
   * The devices of servers, in the servers' order.
   *
   * @throws LlamaException when the library has no RPC backend, or a server does not answer
   */
  List<Long> devices(List<RpcEndpoint> endpoints) {
    return endpoints.stream().flatMap(endpoint -> devicesOf(endpoint).stream()).toList();
  }

  /** A model on these servers was opened. */
  void opened(List<RpcEndpoint> endpoints) {
    endpoints.forEach(endpoint -> inUse.merge(endpoint, 1, Integer::sum));
  }

  /** A model on these servers was closed. */
  void closed(List<RpcEndpoint> endpoints) {
    endpoints.forEach(endpoint -> inUse.merge(endpoint, -1, Integer::sum));
  }

  private List<Long> devicesOf(RpcEndpoint endpoint) {
    boolean several = function("ggml_backend_rpc_add_server").exists();
    // A server has one client at a time: the connection of an open model keeps all others waiting.
    if (inUse.getOrDefault(endpoint, 0) == 0) {
      RpcEndpoint.Protocol spoken = endpoint.require(several, RpcEndpoint.PATIENCE);
      requireCommon(endpoint, spoken);
    }
    return devices.computeIfAbsent(endpoint, e -> several ? addServer(e) : addDevice(e));
  }

  private void requireCommon(RpcEndpoint endpoint, RpcEndpoint.@Nullable Protocol spoken) {
    if (spoken != null && version.matches("v?0\\.5\\..*") && spoken.major() != 7) {
      throw new LlamaException(
          LlamaException.Kind.ARGUMENT,
          "--rpc: %s speaks protocol %s, llama.cpp %s takes 7; run the rpc-server of the same build"
              .formatted(endpoint, spoken, version));
    }
  }

  private List<Long> addServer(RpcEndpoint endpoint) {
    long server = function("ggml_backend_rpc_add_server").ofText(endpoint.toString());
    var found = new ArrayList<Long>();
    for (long i = 0; server != 0 && i < ggml.registryDevices(server); i++) {
      found.add(ggml.registryDevice(server, i));
    }
    return require(endpoint, found);
  }

  /** Before servers could have several devices. */
  private List<Long> addDevice(RpcEndpoint endpoint) {
    OfferedFunction add = function("ggml_backend_rpc_add_device");
    long device = add.exists() ? add.ofText(endpoint.toString()) : 0;
    return require(endpoint, device == 0 ? List.of() : List.of(device));
  }

  private static List<Long> require(RpcEndpoint endpoint, List<Long> devices) {
    if (devices.isEmpty()) {
      throw LlamaException.naming(
          LlamaException.Kind.ARGUMENT,
          "{}: " + endpoint + " offers no device",
          Setting.RPC_SERVERS);
    }
    return List.copyOf(devices);
  }

  /** A function that the RPC backend offers by name. */
  private OfferedFunction function(String name) {
    long registry = ggml.registry("RPC");
    if (registry == 0) {
      throw LlamaException.naming(
          LlamaException.Kind.ARGUMENT,
          "{}: llama.cpp %s in %s was built without the RPC backend; {} takes one with it"
              .formatted(version, file),
          Setting.RPC_SERVERS,
          Setting.LIBRARY);
    }
    return ggml.offered(registry, name);
  }
}
