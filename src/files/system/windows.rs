//! Windows.

pub(crate) use super::not_unix::{
    hold, is_block_device, is_held_by_nobody, open_stream, standard, with_mode,
};
use super::special::Special;
use std::fs::{File, Metadata};
use std::io;
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::AsRawHandle;
use std::path::{Component, Path, Prefix};
use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_LOCK_VIOLATION, ERROR_SHARING_VIOLATION, ERROR_USER_MAPPED_FILE,
};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_ATTRIBUTE_NORMAL, FILE_BASIC_INFO, FileBasicInfo,
    GetDiskFreeSpaceExW, GetFileInformationByHandle, SetFileInformationByHandle,
};

/// The serial number of the volume, and the file's index there.
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct FileId(u32, u32, u32);

pub(crate) fn file_id(path: &Path, _: &Metadata) -> Option<FileId> {
    let file = File::open(path).ok()?;
    let mut about = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open during the call, which fills in `about`.
    let known = unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut about) } != 0;
    known.then_some(FileId(
        about.dwVolumeSerialNumber,
        about.nFileIndexHigh,
        about.nFileIndexLow,
    ))
}

pub(crate) fn free_space(folder: &Path) -> Option<u64> {
    // The canonical path may be longer than 260 characters; not every disk has one.
    let folder = folder
        .canonicalize()
        .or_else(|_| std::path::absolute(folder));
    let folder = folder.ok()?;
    let name: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let mut available = 0;
    let (total, free) = (std::ptr::null_mut(), std::ptr::null_mut());
    // SAFETY: the name ends in a zero, `available` is written, and null means that the rest is not wanted.
    let known = unsafe { GetDiskFreeSpaceExW(name.as_ptr(), &mut available, total, free) } != 0;
    known.then_some(available)
}

/// Names such as `NUL` and `CONOUT$` are devices in every folder.
pub(crate) fn special(path: &Path, _: &Path) -> Option<Special> {
    let full = std::path::absolute(path).ok()?;
    match full.components().next()? {
        Component::Prefix(prefix) if matches!(prefix.kind(), Prefix::DeviceNS(_)) => {
            Some(Special::Stream)
        }
        _ => None,
    }
}

/// Files that a virus scanner, an indexer or a window has open or mapped can often not be replaced or
/// removed. The system also says "access denied" then, as for files that are protected.
pub(crate) fn is_held(error: &io::Error) -> bool {
    let code = error
        .raw_os_error()
        .and_then(|code| u32::try_from(code).ok());
    matches!(
        code,
        Some(
            ERROR_ACCESS_DENIED
                | ERROR_SHARING_VIOLATION
                | ERROR_LOCK_VIOLATION
                | ERROR_USER_MAPPED_FILE
        )
    )
}

/// Tells the system that it should write the file to disk, which it avoids for temporary files.
pub(crate) fn keep(file: &File) -> io::Result<()> {
    let about = FILE_BASIC_INFO {
        FileAttributes: FILE_ATTRIBUTE_NORMAL,
        // The times stay as they are.
        ..Default::default()
    };
    let size = size_of::<FILE_BASIC_INFO>() as u32;
    // SAFETY: the handle is open, and `about` is of the type and size that is announced.
    let kept = unsafe {
        let about = std::ptr::from_ref(&about).cast();
        SetFileInformationByHandle(file.as_raw_handle(), FileBasicInfo, about, size)
    };
    if kept == 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
