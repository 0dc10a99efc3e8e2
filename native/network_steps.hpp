// The kernels as steps of a program, each over all the rows that it finds.
#pragma once

#include <algorithm>

#include "network_blocks.hpp"
#include "network_job.hpp"
#include "network_program.hpp"

namespace network {

inline void add_convolve(Program& program, const Kernels& kernels, const Convolve& job,
                         int64_t x, int64_t added, int64_t y) {
  size_t room = Blocks(kernels, job).room;
  program.add({x, added, y}, room, [=, &kernels](const Rows& rows) {
    Convolve now = job;
    now.x = rows.at[x], now.y = rows.at[y], now.views = rows.count;
    now.added = added == nowhere ? nullptr : rows.at[added];
    Blocks all(kernels, now);
    for (int first = 0; first < all.count; first += all.most)
      all.run(now, first, std::min(first + all.most, all.count), rows.room);
  });
}

inline void add_normalize(Program& program, const Kernels& kernels, const Normalize& job,
                          int64_t x, int64_t modulation, int64_t y) {
  program.add({x, modulation, y}, 2 * (size_t)job.channels, [=, &kernels](const Rows& rows) {
    Normalize now = job;
    now.x = rows.at[x], now.y = rows.at[y];
    now.modulation = modulation == nowhere ? nullptr : rows.at[modulation];
    for (int row = 0; row < rows.count; ++row) kernels.normalize(now, row, rows.room);
  });
}

inline void add_activate(Program& program, const Kernels& kernels, int64_t x) {
  int64_t size = program.size(x);
  program.add({x}, 0, [=, &kernels](const Rows& rows) {
    kernels.activate(rows.at[x], rows.count * size);
  });
}

inline void add_attend(Program& program, const Kernels& kernels, const Attend& job,
                       int64_t cells, int64_t words, int64_t mask, int64_t y) {
  int64_t own = program.size(cells), told = program.size(words), made = program.size(y);
  program.add({cells, words, mask, y}, kernels.attend_room(job), [=, &kernels](const Rows& rows) {
    Attend now = job;
    now.cells = rows.at[cells], now.words = rows.at[words];
    now.mask = rows.at[mask], now.y = rows.at[y];
    for (int row = 0; row < rows.count; ++row) {
      kernels.attend(now, rows.room);
      now.cells += own, now.words += told, now.mask += now.word_count, now.y += made;
    }
  });
}

// Rows come in groups of `turns` that look at each other; `own` and `shown` may be nowhere.
inline void add_across(Program& program, const Kernels& kernels, const Across& job,
                       int64_t query, int64_t own, int64_t shown, int64_t y) {
  int64_t asked = program.size(query), told = 2 * asked;
  program.add({query, own, shown, y}, kernels.across_room(job), [=, &kernels](const Rows& rows) {
    Across now = job;
    for (int row = 0; row < rows.count; ++row) {
      int group = job.turns ? row / job.turns * job.turns : row;
      for (int turn = 0; turn < job.turns; ++turn)
        now.seen[turn] = rows.at[own] + (group + (row - group + turn) % job.turns) * told;
      if (shown != nowhere) now.seen[job.turns] = rows.at[shown] + row * told;
      now.query = rows.at[query] + row * asked, now.y = rows.at[y] + row * asked;
      kernels.across(now, rows.room);
    }
  });
}

// Adds to every row what is the same for all of them.
inline void add_shift(Program& program, int64_t x, const float* more) {
  int64_t size = program.size(x);
  program.add({x}, 0, [=](const Rows& rows) {
    for (int row = 0; row < rows.count; ++row)
      for (int64_t i = 0; i < size; ++i) rows.at[x][row * size + i] += more[i];
  });
}

inline void add_turn(Program& program, const Kernels& kernels, int64_t x, int64_t y, int height,
                     int width) {
  int64_t size = (int64_t)height * width;
  program.add({x, y}, 0, [=, &kernels](const Rows& rows) {
    for (int row = 0; row < rows.count; ++row)
      kernels.turn(rows.at[x] + row * size, height, width, rows.at[y] + row * size);
  });
}

inline void add_join(Program& program, const Kernels& kernels, int64_t x, int64_t wide,
                     int64_t y, int side, int own, int more) {
  int64_t cells = (int64_t)side * side;
  program.add({x, wide, y}, 0, [=, &kernels](const Rows& rows) {
    for (int row = 0; row < rows.count; ++row)
      kernels.join(rows.at[x] + row * cells * own, rows.at[wide] + row * (cells / 4) * more, side,
                   own, more, rows.at[y] + row * cells * (own + more));
  });
}

inline void add_fold(Program& program, const Kernels& kernels, int64_t x, int64_t y, int side,
                     int channels, int apart) {
  int64_t size = program.size(x), made = program.size(y);
  program.add({x, y}, 0, [=, &kernels](const Rows& rows) {
    for (int row = 0; row < rows.count; ++row)
      kernels.fold(rows.at[x] + row * size, side, channels, apart, rows.at[y] + row * made);
  });
}

inline void add_unfold(Program& program, const Kernels& kernels, int64_t x, int64_t y, int side,
                       int channels) {
  int64_t size = program.size(x);
  program.add({x, y}, 0, [=, &kernels](const Rows& rows) {
    for (int row = 0; row < rows.count; ++row)
      kernels.unfold(rows.at[x] + row * size, side, channels, rows.at[y] + row * size);
  });
}

inline void add_halve(Program& program, const Kernels& kernels, int64_t x, int64_t log_snr,
                      int64_t small, int64_t scaled, int side, int channels) {
  int64_t size = program.size(small);
  program.add({x, log_snr, small, scaled}, 0, [=, &kernels](const Rows& rows) {
    for (int row = 0; row < rows.count; ++row)
      kernels.halve(rows.at[x] + row * 4 * size, side, channels, rows.at[log_snr][row],
                    rows.at[small] + row * size, rows.at[scaled] + row * size);
  });
}

inline void add_whole(Program& program, const Kernels& kernels, const Whole& job, int64_t low,
                      int64_t small, int64_t added, int64_t log_snr, int64_t y) {
  int64_t size = program.size(low);
  program.add({low, small, added, log_snr, y}, 0, [=, &kernels](const Rows& rows) {
    Whole now = job;
    now.low = rows.at[low], now.small = rows.at[small];
    now.added = rows.at[added], now.y = rows.at[y];
    for (int row = 0; row < rows.count; ++row) {
      now.log_snr = rows.at[log_snr][row];
      kernels.whole(now);
      now.low += size, now.small += size, now.added += 4 * size, now.y += 4 * size;
    }
  });
}

}  // namespace network
