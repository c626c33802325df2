// app/app.h: wiring, lifecycle and command line. The only room that sees everyone.
#pragma once

namespace portcullis::app {

// Runs the command of argv and gives the process's exit code: 0 done, 1 failed or refused, 2 could
// not be judged (scan) or wrong usage. Never throws.
int run(int argc, char** argv);

}  // namespace portcullis::app
