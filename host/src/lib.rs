//! What kcapture needs of a Linux host with std: files.
