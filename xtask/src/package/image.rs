//! The container image: the binary, the libraries that it names, the public certificate authorities, and nothing else.
//! Built by buildah without a daemon and without a base image, kept as an OCI archive, and run once.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Binary, cannot, commit, empty_folder, joined, make_folder, try_out};
use crate::command::{Done, Failure, output, root, run};

const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
const FILES: [(&str, &str); 3] = [
    ("etc/passwd", "validator:x:65532:65532:validator:/tmp:/sbin/nologin\n"),
    ("etc/group", "validator:x:65532:\n"),
    // The C library asks DNS and this file; what else it could ask is not in the image.
    ("etc/nsswitch.conf", "hosts: files dns\n"),
];

/// Whose terms are in the image too: the C library's, and of what comes with it.
const TERMS: [&str; 2] = ["usr/share/doc/libc6/copyright", "usr/share/doc/libgcc-s1/copyright"];

/// Builds the image, keeps it as `validator.oci.tar` and runs a demo in it.
pub fn make(binary: &Binary) -> Done {
    let version = binary.version()?;
    let context = binary.folder.join("context");
    lay_out(binary, &context.join("root"))?;
    let store = Store::new(&binary.folder.join("containers"))?;
    let name = format!("localhost/validator:{version}");
    let mut build = store.buildah("bud");
    build.args(["--isolation", "chroot", "--build-arg", &format!("VERSION={version}")]);
    build.args(["--build-arg", &format!("COMMIT={}", commit()), "--tag", &name, "--file"]);
    build.arg(root().join("deploy/container/Containerfile")).arg(&context);
    run(build)?;
    let archive = binary.folder.join("validator.oci.tar");
    if archive.exists() {
        fs::remove_file(&archive).map_err(|error| cannot("remove", &archive, &error))?;
    }
    let mut push = store.buildah("push");
    push.arg("--quiet").arg(&name).arg(joined("oci-archive:", &archive));
    run(push)?;
    println!("{}: {} MB", archive.display(), fs::metadata(&archive).map_or(0, |metadata| metadata.len() / 1_000_000));
    holds_what_it_should(&store, &name, &version)?;
    let mut from = store.buildah("from");
    from.arg("--pull-never").arg(&name);
    let container = output(from)?.trim().to_owned();
    let mut shell = store.buildah("run");
    shell.args(["--isolation", "chroot", &container, "--", "/bin/sh", "-c", "true"]).stderr(Stdio::null());
    if shell.status().is_ok_and(|status| status.success()) {
        return Err(Failure::Check("the image has a shell".into()));
    }
    try_out(
        || {
            let mut command = store.buildah("run");
            command.args(["--isolation", "chroot", &container, "--", "/usr/bin/validator"]);
            command
        },
        &version,
    )?;
    store.remove()?;
    fs::remove_dir_all(&context).map_err(|error| cannot("remove", &context, &error))
}

/// The files of the image below `root`.
fn lay_out(binary: &Binary, root: &Path) -> Done {
    empty_folder(root)?;
    for folder in ["usr/bin", "etc/ssl/certs", "tmp", "work"] {
        make_folder(&root.join(folder))?;
    }
    for folder in ["tmp", "work"] {
        let path = root.join(folder);
        let open = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(&path, open).map_err(|error| cannot("open to all", &path, &error))?;
    }
    copy(&binary.path, &root.join("usr/bin/validator"))?;
    copy(Path::new(AUTHORITIES), &root.join(AUTHORITIES.trim_start_matches('/')))?;
    make_folder(&root.join("licenses"))?;
    copy(&crate::command::root().join("LICENSE"), &root.join("licenses/LICENSE"))?;
    for name in TERMS.iter().filter(|name| Path::new("/").join(name).exists()) {
        let to = root.join(name);
        make_folder(to.parent().unwrap_or(root))?;
        copy(&Path::new("/").join(name), &to)?;
    }
    for (name, text) in FILES {
        let path = root.join(name);
        fs::write(&path, text).map_err(|error| cannot("write", &path, &error))?;
    }
    let mut ldd = Command::new("ldd");
    ldd.arg(&binary.path);
    let libraries = libraries(&output(ldd)?)?;
    for library in &libraries {
        // Where the loader looks for them, not where their links lead to.
        let to = root.join(library.strip_prefix("/").unwrap_or(library));
        make_folder(to.parent().unwrap_or(root))?;
        copy(library, &to)?;
    }
    println!(
        "{} libraries: {}",
        libraries.len(),
        libraries.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" ")
    );
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Done {
    fs::copy(from, to).map(drop).map_err(|error| cannot("copy into the image", from, &error))
}

/// The files that `ldd` names; one that is not found is an error, and the kernel's own is none.
fn libraries(ldd: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for line in ldd.lines().map(str::trim) {
        if line.ends_with("not found") {
            return Err(Failure::Machine(format!("a library of the binary is missing: {line}")));
        }
        let path = line.rsplit("=>").next().unwrap_or(line).trim().split(" (").next().unwrap_or_default();
        if path.starts_with('/') {
            found.push(PathBuf::from(path));
        }
    }
    Ok(found)
}

/// No root, no shell, the labels: asked of the image itself.
fn holds_what_it_should(store: &Store, name: &str, version: &str) -> Done {
    let mut inspect = store.buildah("inspect");
    inspect.args(["--type", "image", "--format"]);
    inspect.arg("{{.OCIv1.Config.User}} {{index .OCIv1.Config.Labels \"org.opencontainers.image.version\"}} {{index .OCIv1.Config.Labels \"org.opencontainers.image.revision\"}} {{.OCIv1.Config.Entrypoint}}");
    inspect.arg(name);
    let said = output(inspect)?;
    let expected = format!("65532:65532 {version} {} [/usr/bin/validator]", commit());
    if said.trim() == expected {
        Ok(())
    } else {
        Err(Failure::Check(format!("the image is `{}`, not `{expected}`", said.trim())))
    }
}

/// Where buildah keeps what it builds: a folder of our own, so that nothing is left beside it.
struct Store {
    folder: PathBuf,
}

impl Store {
    fn new(folder: &Path) -> Result<Self, Failure> {
        make_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn buildah(&self, command: &str) -> Command {
        let mut buildah = Command::new("buildah");
        buildah.arg("--root").arg(self.folder.join("storage")).arg("--runroot").arg(self.folder.join("run"));
        buildah.args(["--storage-driver", "vfs", command]);
        buildah
    }

    /// By buildah, which has files of other owners in there.
    fn remove(&self) -> Done {
        for what in [&["rm", "--all"][..], &["rmi", "--all", "--force"]] {
            let mut command = self.buildah(what[0]);
            command.args(&what[1..]);
            output(command)?;
        }
        fs::remove_dir_all(&self.folder).map_err(|error| cannot("remove", &self.folder, &error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_are_those_that_the_loader_names() {
        let text = "\tlinux-vdso.so.1 (0x00007ffd)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)\n\
                    \t/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";
        let expected = ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"].map(PathBuf::from);
        assert_eq!(libraries(text).expect("all are there"), expected);
        assert!(libraries("\tlibz.so.1 => not found\n").is_err());
    }
}
