// The precompiled header's own translation unit: CMake needs one source to hang it on.
