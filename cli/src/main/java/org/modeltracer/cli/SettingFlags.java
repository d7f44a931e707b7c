package org.modeltracer.cli;

import org.modeltracer.llama.Setting;

/** By which options the commands know the library's settings. */
final class SettingFlags {
  private SettingFlags() {}

  /** What a message says of a setting. */
  static String flag(Setting setting) {
    return switch (setting) {
      case CONTEXT -> "-c";
      case BATCH -> "-b";
      case MICRO_BATCH -> "-ub";
      case NO_FLASH_ATTENTION -> "-fa off";
      case F16_CACHE -> "-ctk f16 -ctv f16";
      case LIBRARY -> "--llama-lib";
      case DEVICES -> "--backend";
      case RPC_SERVERS -> "--rpc";
      case TOKEN_IDS -> "token ids (--tokens 1,2,3)";
    };
  }
}
