package org.modeltracer.attach;

/**
 * Where a traced context is.
 *
 * @param pid process
 * @param thread thread that decoded first
 * @param context address of its {@code llama_context}; 0 where llama.cpp was called by other ways
 *     than its exported functions
 * @param scheduler address of its scheduler
 * @param library file of the ggml that computes
 */
public record Origin(int pid, int thread, long context, long scheduler, String library) {}
