package org.modeltracer.llama;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A server of llama.cpp's RPC backend, as {@code HOST:PORT}.
 *
 * <p>llama.cpp ends the process when a server does not answer, so that is asked here first, in the
 * words of its protocol.
 *
 * @param host name or IPv4 address; llama.cpp knows no others
 * @param port 1 to 65535
 */
record RpcEndpoint(String host, int port) {
  /** Longest a server that is up takes to answer. */
  static final Duration PATIENCE = Duration.ofSeconds(5);

  private static final int HELLO = 14;
  private static final int VERSION_BYTES = 3;

  /** What a server may want to know of the client, in bytes; newest protocol first. */
  private static final int[] REQUESTS = {24, 0};

  private static final long LONGEST_ANSWER = 64;

  /** Version of a server's protocol; {@code describes} is whether clients must describe theirs. */
  record Protocol(int major, int minor, int patch, boolean describes) {
    @Override
    public String toString() {
      return major + "." + minor + "." + patch;
    }
  }

  /**
   * Reads {@code HOST:PORT}.
   *
   * @throws LlamaException when it is not of that form
   */
  static RpcEndpoint parse(String text) {
    int colon = text.indexOf(':');
    int port = colon < 1 ? 0 : number(text.substring(colon + 1));
    if (port < 1 || port > 0xffff) {
      throw refused("'" + text + "' is not HOST:PORT of an RPC server, such as 127.0.0.1:50052");
    }
    return new RpcEndpoint(text.substring(0, colon), port);
  }

  private static int number(String digits) {
    return digits.matches("[0-9]{1,5}") ? Integer.parseInt(digits) : 0;
  }

  /**
   * Greets the server and leaves.
   *
   * @param greets whether servers of the library's generation answer a greeting at all
   * @param patience how long to wait for an answer
   * @return the server's protocol, or null where it was not asked
   * @throws LlamaException when nothing answers, or something else does
   */
  @Nullable Protocol require(boolean greets, Duration patience) {
    InetSocketAddress address = new InetSocketAddress(ipv4(), port);
    try {
      if (!greets) {
        connect(address, patience).close();
        return null;
      }
      for (int bytes : REQUESTS) {
        Protocol protocol = greet(address, bytes, patience);
        if (protocol != null) {
          return protocol;
        }
      }
    } catch (SocketTimeoutException e) {
      throw refused(
          this + " does not answer; is rpc-server running there, and free? It serves one client");
    } catch (IOException e) {
      throw refused("no RPC server at " + this + ": " + e.getMessage());
    }
    throw refused(this + " answers, but not as llama.cpp's rpc-server does");
  }

  private InetAddress ipv4() {
    try {
      return Arrays.stream(InetAddress.getAllByName(host))
          .filter(Inet4Address.class::isInstance)
          .findFirst()
          .orElseThrow(() -> refused(host + " has no IPv4 address, which RPC takes"));
    } catch (UnknownHostException e) {
      throw refused("no host has the name " + host);
    }
  }

  private static Socket connect(InetSocketAddress address, Duration patience) throws IOException {
    var socket = new Socket();
    int milliseconds = Math.toIntExact(patience.toMillis());
    socket.connect(address, milliseconds);
    socket.setSoTimeout(milliseconds);
    return socket;
  }

  /** Null when the server hangs up on a greeting of that size, or answers with something else. */
  private static @Nullable Protocol greet(InetSocketAddress address, int bytes, Duration patience)
      throws IOException {
    try (Socket socket = connect(address, patience)) {
      byte[] request = new byte[1 + Long.BYTES + bytes];
      request[0] = HELLO;
      request[1] = (byte) bytes;
      OutputStream out = socket.getOutputStream();
      var in = new DataInputStream(socket.getInputStream());
      byte[] answer;
      try {
        out.write(request);
        out.flush();
        long size = Long.reverseBytes(in.readLong());
        if (size < VERSION_BYTES || size > LONGEST_ANSWER) {
          return null;
        }
        answer = in.readNBytes((int) size);
      } catch (EOFException | SocketException hungUp) {
        return null;
      }
      return answer.length < VERSION_BYTES
          ? null
          : new Protocol(answer[0], answer[1], answer[2], bytes > 0);
    }
  }

  private static LlamaException refused(String reason) {
    return LlamaException.naming(
        LlamaException.Kind.ARGUMENT, "{}: " + reason, Setting.RPC_SERVERS);
  }

  /** Parses all of a list. */
  static List<RpcEndpoint> parse(List<String> texts) {
    return texts.stream().map(RpcEndpoint::parse).distinct().toList();
  }

  @Override
  public String toString() {
    return host + ":" + port;
  }
}
