// portcullis-decoder.
#include "decoder/worker/keeper.h"

int main() { return portcullis::decoder::run_keeper(portcullis::decoder::do_job); }
