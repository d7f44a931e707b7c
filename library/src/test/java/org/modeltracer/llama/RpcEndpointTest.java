package org.modeltracer.llama;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.modeltracer.testing.Golden;

/** What is asked of an RPC server before llama.cpp, which ends the process where it fails, is. */
class RpcEndpointTest {
  private static final Duration LONG = Duration.ofSeconds(20);

  /** Says something to each client, after reading what it sent. */
  private interface Script {
    void serve(DataInputStream in, Socket client) throws IOException;
  }

  private static RpcEndpoint.Protocol ask(Script script, Duration patience) throws IOException {
    try (var server = new ServerSocket(0, 5, InetAddress.ofLiteral("127.0.0.1"))) {
      Thread.ofPlatform()
          .daemon()
          .start(
              () -> {
                while (!server.isClosed()) {
                  try (Socket client = server.accept()) {
                    script.serve(new DataInputStream(client.getInputStream()), client);
                  } catch (IOException hungUp) {
                    assertThat(hungUp).isNotNull();
                  }
                }
              });
      return new RpcEndpoint("127.0.0.1", server.getLocalPort()).require(true, patience);
    }
  }

  /** A server that takes greetings of one size and hangs up on others. */
  private static Script server(int bytes, byte[] answer) {
    return (in, client) -> {
      if (in.read() == 14 && Long.reverseBytes(in.readLong()) == bytes) {
        in.readNBytes(bytes);
        client.getOutputStream().write(answer);
      }
    };
  }

  @Test
  void serversOfBothProtocolsAreGreeted() throws IOException {
    byte[] recent = new byte[8 + 28];
    recent[0] = 28;
    recent[8] = 7;
    recent[9] = 1;
    assertThat(ask(server(24, recent), LONG)).isEqualTo(new RpcEndpoint.Protocol(7, 1, 0, true));
    byte[] old = {3, 0, 0, 0, 0, 0, 0, 0, 3, 6, 2};
    assertThat(ask(server(0, old), LONG)).isEqualTo(new RpcEndpoint.Protocol(3, 6, 2, false));
  }

  @Test
  void whatIsNoSuchServerIsRefused() {
    byte[] web = "HTTP/1.1 400 Bad Request\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    for (Script other :
        List.<Script>of(
            (in, client) -> {},
            (in, client) -> client.getOutputStream().write(web),
            server(24, new byte[] {28, 0, 0, 0, 0, 0, 0, 0, 7}))) {
      assertThatThrownBy(() -> ask(other, LONG))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("not as llama.cpp's rpc-server does");
    }
    assertThatThrownBy(() -> ask((in, client) -> in.readAllBytes(), Duration.ofMillis(50)))
        .isInstanceOf(LlamaException.class)
        .hasMessageContaining("does not answer");
  }

  @Test
  void nobodyThere() throws IOException {
    int port;
    try (var taken = new ServerSocket(0)) {
      port = taken.getLocalPort();
    }
    for (boolean greets : List.of(true, false)) {
      assertThatThrownBy(() -> new RpcEndpoint("127.0.0.1", port).require(greets, LONG))
          .isInstanceOf(LlamaException.class)
          .hasMessageContaining("no RPC server at 127.0.0.1:" + port);
    }
    assertThatThrownBy(() -> new RpcEndpoint("no-such-host.invalid", 1).require(true, LONG))
        .hasMessageContaining("no host has the name no-such-host.invalid");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "host", "host:", ":1", "host:0", "host:65536", "host:1x", "[::1]:1", "a:-1"})
  void malformed(String text) {
    assertThatThrownBy(() -> RpcEndpoint.parse(text))
        .isInstanceOfSatisfying(
            LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.ARGUMENT))
        .hasMessageContaining("is not HOST:PORT of an RPC server");
  }

  @Test
  void wellFormed() {
    assertThat(RpcEndpoint.parse("worker-1.lan:50052"))
        .isEqualTo(new RpcEndpoint("worker-1.lan", 50052))
        .hasToString("worker-1.lan:50052");
    assertThat(RpcEndpoint.parse(List.of("a:1", "b:2", "a:1"))).hasSize(2);
  }

  @ParameterizedTest
  @MethodSource("org.modeltracer.llama.Runtimes#all")
  void theEmbeddedLibrariesHaveNoSuchBackend(LlamaRuntime runtime) {
    assumeTrue(
        Runtimes.embedded("v0.5.0").stream().anyMatch(runtime.file()::equals)
            || Runtimes.embedded("b4916").stream().anyMatch(runtime.file()::equals),
        "a library of the user's own may have it");
    ModelOptions spread = ModelOptions.defaults().withRpcServers(List.of("127.0.0.1:1"));
    assertThatThrownBy(() -> runtime.open(Golden.load("tinyllama-mha", "short").file(), spread))
        .isInstanceOfSatisfying(
            LlamaException.class, e -> assertThat(e.kind()).isEqualTo(LlamaException.Kind.ARGUMENT))
        .hasMessageContaining("was built without the RPC backend");
  }
}
