#include "app/app.h"

int main(int argc, char** argv) { return portcullis::app::run(argc, argv); }
