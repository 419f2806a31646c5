# To be sourced. fetch_with_maven HOME MARK GROUP:ARTIFACT:VERSION ...: fetches the jars of the artifacts and of all that they need, once,
# into the directory HOME, which is complete when it has the file MARK.
fetch_with_maven() {
  local home=$1 mark=$2 work each group artifact version
  shift 2
  if [ -f "$home/$mark" ]; then return; fi
  mkdir -p "$(dirname "$home")"
  # Beside its place: it is moved there when it is complete.
  work=$(mktemp -d "$home.XXXXXX")
  # shellcheck disable=SC2064 # the directory of now
  trap "rm -rf '$work'" EXIT
  {
    echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
    echo '<groupId>quorate.test</groupId><artifactId>fetched</artifactId><version>1</version><packaging>pom</packaging><dependencies>'
    for each in "$@"; do
      IFS=: read -r group artifact version <<<"$each"
      echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId><version>$version</version></dependency>"
    done
    echo '</dependencies></project>'
  } >"$work/pom.xml"
  timeout 600 mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    -DoutputDirectory="$work" >&2
  mv --no-target-directory "$work" "$home"
  trap - EXIT
}
